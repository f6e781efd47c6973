import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_patches

from scarp_models import checkpoint
from scarp_models.bbunet import BBUnet
from scarp_models.data import PatchSet
from scarp_models.loop import Pace
from scarp_models.train import Recipe, loss, train


def test_invalid_pixels_do_not_count() -> None:
    logits, mask = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    valid = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    valid[..., 0] = False
    spoiled = logits.clone()
    spoiled[..., 0] = 100
    assert loss(spoiled, mask, valid, 3, 0.5) == loss(logits, mask, valid, 3, 0.5)


def test_a_run_learns_saves_and_resumes(patches: Path, tmp_path: Path) -> None:
    validation, run = [PatchSet(make_patches(tmp_path / "validation", seed=8, count=4))], tmp_path / "run"
    train(Recipe(Pace(steps=3), batch=4), [PatchSet(patches)], validation, run)
    assert train(Recipe(Pace(steps=5), batch=4), [PatchSet(patches)], validation, run) > 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [3, 5]
    assert checkpoint.load(run / "best.pt")[0].name == "bbunet"


def test_a_student_learns_from_a_teacher_and_other_networks_train_alike(
    network: BBUnet, patches: Path, tmp_path: Path
) -> None:
    sets = [PatchSet(patches)]
    for share, student in ((1.0, "bbunet"), (0.5, "bbunet-lite")):
        recipe = Recipe(Pace(steps=1), student, batch=2, distillation=share)
        start = network if student == "bbunet" else None
        train(recipe, sets, sets, tmp_path / student, start=start, teacher=network)
        assert checkpoint.load(tmp_path / student / "best.pt")[0].name == student
        assert json.loads((tmp_path / student / "run.json").read_text())["taught"]


def test_only_bitemporal_networks_are_trained_on_pairs(patches: Path, tmp_path: Path) -> None:
    for name, reason in (("nonsense", "no network is called 'nonsense'"), ("clouds", "it is cloud")):
        with pytest.raises(ValueError, match=reason):
            train(Recipe(Pace(steps=1), name), [PatchSet(patches)], [], tmp_path / "run")


def test_soft_masks_and_two_classes_have_the_same_loss() -> None:
    torch.manual_seed(1)
    mask, valid = torch.rand(1, 1, 4, 4), torch.ones(1, 1, 4, 4, dtype=torch.bool)
    logit = torch.randn(1, 1, 4, 4)
    two = torch.cat([torch.zeros_like(logit), logit], dim=1)
    assert loss(two, mask, valid, 3, 0.5) == loss(logit, mask, valid, 3, 0.5)


def test_the_slope_prior_is_a_part_of_the_loss(patches: Path, tmp_path: Path) -> None:
    terrain = np.load(patches / "terrain.npy")
    terrain[:, 0], terrain[:, 1] = 100, 1  # gentle ground everywhere
    np.save(patches / "terrain.npy", terrain)
    losses = []
    for weight in (0.0, 5.0):
        run = tmp_path / f"prior-{weight:g}"
        train(Recipe(Pace(steps=1), "bbunet-lite", batch=8, slope_prior=weight), [PatchSet(patches)], [PatchSet(patches)], run)
        losses.append(json.loads((run / "log.jsonl").read_text())["loss"])
    assert losses[1] > losses[0]


def test_a_network_can_not_begin_with_another(network: BBUnet, patches: Path, tmp_path: Path) -> None:
    with pytest.raises(checkpoint.CheckpointError, match="load bbunet-lite"):
        train(Recipe(Pace(steps=1), "bbunet-lite"), [PatchSet(patches)], [], tmp_path / "run", start=network)
