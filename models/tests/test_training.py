import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_patches

from scarp_models import evaluate
from scarp_models.data import PatchSet
from scarp_models.metrics import Histogram
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


def test_scores_come_from_one_confusion_matrix() -> None:
    histogram = Histogram()
    score = np.array([0.9, 0.8, 0.4, 0.1, 0.9])
    truth = np.array([True, False, True, False, True])
    valid = np.array([True, True, True, True, False])
    histogram.add(score, truth, valid)
    at = histogram.at(0.5)
    assert (at.precision, at.recall, at.iou) == (0.5, 0.5, pytest.approx(1 / 3))
    assert histogram.at(0.3).recall == 1
    assert histogram.best().iou == pytest.approx(2 / 3)


def test_average_precision_of_a_perfect_ranking_is_one() -> None:
    histogram = Histogram()
    truth = np.arange(100) >= 90
    histogram.add(np.arange(100) / 100, truth, np.ones(100, bool))
    assert histogram.average_precision() == pytest.approx(1)


def test_simple_rules_find_a_plain_scar(patches: Path) -> None:
    sets = [PatchSet(patches)]
    assert evaluate.evaluate(evaluate.ndvi_drop, sets).best().iou > 0.95
    assert evaluate.evaluate(evaluate.change_vector, sets).best().iou > 0.95


def test_tiling_gives_every_pixel_its_own_score(patches: Path) -> None:
    """A scorer that looks at single pixels must give the same, tiled or not, for any size."""
    batch = PatchSet(patches).batch(np.arange(3))
    tiled = evaluate.tiled(evaluate.ndvi_drop, size=32, overlap=8)
    np.testing.assert_allclose(tiled(batch), evaluate.ndvi_drop(batch), atol=1e-6)
