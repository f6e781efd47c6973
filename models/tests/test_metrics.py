"""Scores whose values can be worked out by hand."""

import numpy as np
import pytest

from scarp_models import objects
from scarp_models.metrics import Counts, Histogram, codes, difference, interval, resamples


def counts(*patches: tuple[list[float], list[int]]) -> Counts:
    """Patches given as scores and truths of their pixels, all valid."""
    scores = np.array([p[0] for p in patches])[:, None]
    truth = np.array([p[1] for p in patches], bool)[:, None]
    return Counts.of(codes(scores), truth, np.ones_like(truth))


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


def test_patches_are_pooled_before_dividing() -> None:
    """Patch 1: TP 1, FN 1; patch 2: TP 1, FP 2. Together 2 / (2 + 2 + 1), and not a mean of means."""
    both = counts(([0.9, 0.1, 0.1, 0.1], [1, 1, 0, 0]), ([0.9, 0.9, 0.9, 0.1], [1, 0, 0, 0]))
    assert both.confusion(0.5).tolist() == [[1, 0, 1], [1, 2, 0]]
    score = both.total().at(0.5)
    assert (score.iou, score.precision, score.recall) == pytest.approx((2 / 5, 1 / 2, 2 / 3))
    assert score.f1 == pytest.approx(4 / 7)
    assert both.select(np.array([0])).total().at(0.5).precision == 1


def test_a_threshold_takes_the_scores_that_reach_it() -> None:
    one = counts(([0.5, 0.496], [1, 1]))
    assert one.total().at(0.5).recall == 0.5
    assert one.total().at(0.496).recall == 1
    assert codes(np.array([-1, np.nan, 2.0])).tolist() == [0, 0, 250]


def test_average_precision() -> None:
    ranked = Histogram()
    truth = np.arange(100) >= 90
    ranked.add(np.arange(100) / 100, truth, np.ones(100, bool))
    assert ranked.average_precision() == pytest.approx(1)
    # From the top: right, wrong, right: ½ · 1 + ½ · ⅔.
    assert counts(([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])).total().average_precision() == pytest.approx(5 / 6)


def test_calibration_error_by_hand() -> None:
    """Four pixels near 0.8 of which half are landslide (off by 0.3), six at 0 that aren't (off by 0)."""
    h = counts(([0.8] * 4 + [0.0] * 6, [1, 1, 0, 0] + [0] * 6)).total()
    assert h.calibration_error() == pytest.approx(0.4 * 0.3)
    low, high = h.reliability()
    assert (low["pixels"], low["share"]) == (6, 0)
    assert (high["from"], high["to"], high["pixels"], high["score"], high["share"]) == (0.8, 0.9, 4, 0.8, 0.5)


def test_the_last_bin_holds_one() -> None:
    assert counts(([1.0, 0.9], [1, 1])).total().reliability()[0]["pixels"] == 2


def test_a_perfectly_calibrated_score_has_no_error() -> None:
    assert counts(([0.2] * 10, [1, 1] + [0] * 8)).total().calibration_error() == pytest.approx(0)


def test_equal_patches_leave_no_doubt() -> None:
    same = counts(*[([0.9, 0.9, 0.1, 0.1], [1, 0, 1, 0])] * 5)
    found = same.intervals(0.5, rounds=50)
    assert found["f1"] == (0.5, 0.5) and found["iou"] == (0.3333, 0.3333)


def test_intervals_lie_around_the_figure_and_are_reproducible() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((40, 50)) < 0.3
    score = np.clip(truth * 0.3 + rng.random((40, 50)) * 0.6, 0, 1)
    many = Counts.of(codes(score[:, None]), truth[:, None], np.ones((40, 1, 50), bool))
    found = many.intervals(0.5, rounds=300)
    assert found == many.intervals(0.5, rounds=300)
    whole = many.total()
    for name, value in (whole.at(0.5).as_dict() | {"average_precision": whole.average_precision()}).items():
        if name != "threshold":
            low, high = found[name]
            assert low < value < high and high - low < 0.2


def test_one_odd_patch_of_two_spans_the_interval() -> None:
    """Two patches, one all right and one all wrong: a quarter of the resamples sees only the one or the other."""
    two = counts(([0.9, 0.1], [1, 0]), ([0.1, 0.9], [1, 0]))
    assert two.intervals(0.5)["f1"] == (0, 1)


def test_resamples_draw_as_many_patches_as_there_are() -> None:
    drawn = resamples(7, 20)
    assert drawn.shape == (20, 7) and (drawn.sum(1) == 7).all()
    assert interval(np.arange(101)) == (2.5, 97.5)


def test_paired_difference_is_tighter_than_two_intervals() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((30, 1, 60)) < np.linspace(0.05, 0.6, 30)[:, None, None]
    good = truth & (rng.random(truth.shape) < 0.8)
    worse = good & (rng.random(truth.shape) < 0.9)
    ones = np.ones_like(truth)
    a, b = (Counts.of(codes(m.astype(float)), truth, ones) for m in (good, worse))
    value, low, high = difference(a, 0.5, b, 0.5)
    assert low < value < high < 0
    assert difference(a, 0.5, a, 0.5) == (0, 0, 0)
    with pytest.raises(ValueError, match="same patches"):
        difference(a, 0.5, b.select(np.arange(3)), 0.5)


def scene(size: int = 40) -> np.ndarray:
    return np.zeros((1, size, size), bool)


def test_objects_by_size_and_by_hand() -> None:
    truth, predicted, valid = scene(), scene(), ~scene()
    truth[0, 0:3, 0:3] = True  # 9 px, not found
    truth[0, 10:12, 0:5] = True  # 10 px = 0.1 ha: the second class; half of it found
    predicted[0, 10:11, 0:5] = True
    truth[0, 20:30, 0:10] = True  # 100 px = 1 ha, 49 of them found: not enough
    predicted[0, 20:27, 0:7] = True
    predicted[0, 0:5, 20:25] = True  # 25 px of nothing
    found = objects.count(predicted, truth, valid)
    assert found.reference.tolist() == [[1, 1, 1, 0, 0]]
    assert found.found.tolist() == [[0, 1, 0, 0, 0]]
    assert found.predicted.tolist() == [[1, 2, 0, 0, 0]]
    assert found.right.tolist() == [[1, 1, 0, 0, 0]]
    whole, smallest, *_, largest = found.table(rounds=10)
    assert (whole["recall"], whole["precision"]) == (pytest.approx(1 / 3, abs=1e-4), pytest.approx(2 / 3, abs=1e-4))
    assert smallest["recall"] == 0 and largest["recall"] is None and largest["recall_interval"] is None


def test_edges_join_objects_and_clouds_cut_them() -> None:
    truth, predicted, valid = scene(), scene(), ~scene()
    truth[0, [0, 1, 2], [0, 1, 2]] = True
    assert objects.count(predicted, truth, valid).reference.sum() == 3
    truth[0, [0, 1], [1, 2]] = True
    assert objects.count(predicted, truth, valid).reference.sum() == 1
    valid[0, 1, 1] = False
    assert objects.count(predicted, truth, valid).reference.sum() == 2


def test_one_drawn_blob_finds_every_landslide_in_it() -> None:
    truth, predicted, valid = scene(), scene(), ~scene()
    truth[0, 0:4, 0:4] = truth[0, 0:4, 6:10] = True
    predicted[0, 0:4, 0:10] = True
    found = objects.count(predicted, truth, valid)
    assert found.found.sum() == 2 and found.right.sum() == found.predicted.sum() == 1


def test_patches_do_not_touch_each_other() -> None:
    truth = np.concatenate([scene(), scene()])
    truth[:, :3] = True
    truth[:, -3:] = True
    assert objects.count(truth, truth, np.ones_like(truth)).reference.sum(1).tolist() == [2, 2]
