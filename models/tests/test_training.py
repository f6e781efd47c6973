import json
from pathlib import Path

import pytest
import torch
from conftest import make_patches

from scarp_models.bbunet import BBUnet
from scarp_models.data import PatchSet
from scarp_models.train import Settings, Trainer, loss


def test_invalid_pixels_do_not_count() -> None:
    logits, mask = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    valid = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    valid[..., 0] = False
    spoiled = logits.clone()
    spoiled[..., 0] = 100
    assert loss(spoiled, mask, valid, 3, 0.5) == loss(logits, mask, valid, 3, 0.5)


def test_a_run_learns_saves_and_resumes(patches: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    validation = [PatchSet(make_patches(tmp_path / "validation", seed=8, count=4))]
    settings = Settings(seconds=1e6, batch=4, validate_every=1e6)
    steps = iter([False] * 3 + [True])
    Trainer([PatchSet(patches)], validation, tmp_path / "run", settings).run(stop=lambda: next(steps))

    again = Trainer([PatchSet(patches)], validation, tmp_path / "run", settings)
    assert again.step == 3
    again.run(stop=lambda: again.step == 5)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [3, 5]
    assert (tmp_path / "run" / "best.pt").exists()


def test_a_student_learns_from_a_teacher_and_other_networks_train_alike(
    network: BBUnet, patches: Path, tmp_path: Path
) -> None:
    sets = [PatchSet(patches)]
    settings = Settings(seconds=1e6, batch=2, validate_every=1e6, distillation=1.0)
    steps = iter([False, True])
    trainer = Trainer(sets, [], tmp_path / "student", settings, start=network, teacher=network)
    trainer.run(stop=lambda: next(steps))
    assert trainer.step == 1


def test_only_bitemporal_networks_are_trained_on_pairs(patches: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no network is called 'nonsense'"):
        Trainer([PatchSet(patches)], [], tmp_path / "run", Settings(seconds=1, network="nonsense"))


def test_soft_masks_and_two_classes_have_the_same_loss() -> None:
    torch.manual_seed(1)
    mask, valid = torch.rand(1, 1, 4, 4), torch.ones(1, 1, 4, 4, dtype=torch.bool)
    logit = torch.randn(1, 1, 4, 4)
    two = torch.cat([torch.zeros_like(logit), logit], dim=1)
    assert loss(two, mask, valid, 3, 0.5) == loss(logit, mask, valid, 3, 0.5)
