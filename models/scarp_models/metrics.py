"""Scores of probability maps: from one global confusion matrix at any threshold, with intervals and calibration.

Everything here is computed from counts of pixels by score and truth, one row a patch (:class:`Counts`), so that
thresholds, regions and resamples are looked at afterwards without running a network again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

STEPS = 250
"""Probabilities are counted in steps of 1/250, as the server stores them."""

BINS = 10
"""Bins of equal width for calibration: 25 steps each, the last one holds 1 as well."""

ROUNDS = 1000
"""Resamples for an interval."""


@dataclass(frozen=True)
class Score:
    """Scores of the class landslide over all valid pixels together."""

    threshold: float
    iou: float
    f1: float
    precision: float
    recall: float

    def as_dict(self) -> dict[str, float]:
        return {k: round(float(v), 4) for k, v in asdict(self).items()}


def codes(score: np.ndarray) -> np.ndarray:
    """Scores in 0..1 as uint8 steps of 1/250, rounded; NaN is 0."""
    return np.rint(np.clip(np.nan_to_num(score), 0, 1) * STEPS).astype(np.uint8)


def step_at(threshold: float) -> int:
    """The lowest step that reaches a threshold."""
    return int(np.ceil(round(threshold * STEPS, 6)))


class Histogram:
    """Counts pixels by score (0..1) and truth, so that every threshold can be judged afterwards."""

    def __init__(self, positive: np.ndarray | None = None, negative: np.ndarray | None = None) -> None:
        self.positive = np.zeros(STEPS + 1, np.int64) if positive is None else positive
        self.negative = np.zeros(STEPS + 1, np.int64) if negative is None else negative

    def add(self, score: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> None:
        """Adds pixels; all three arrays have one shape, truth and valid are boolean."""
        step = codes(score)
        self.positive += np.bincount(step[valid & truth], minlength=STEPS + 1)
        self.negative += np.bincount(step[valid & ~truth], minlength=STEPS + 1)

    def at(self, threshold: float) -> Score:
        """Scores of the mask ``score ≥ threshold``."""
        return self._scores()[step_at(threshold)]

    def best(self) -> Score:
        """The threshold with the highest IoU. For validation data: never choose it on test data."""
        return max(self._scores()[1:-1], key=lambda s: s.iou)

    def average_precision(self) -> float:
        """Area under the precision-recall curve."""
        return float(_average_precision(self.positive[None], self.negative[None])[0])

    def calibration_error(self) -> float:
        """Expected calibration error (ECE): mean over all pixels of |share of landslide − mean score| of their bin."""
        return float(_calibration_error(self.positive[None], self.negative[None])[0])

    def reliability(self) -> list[dict[str, float]]:
        """For each bin that holds pixels: its bounds, pixels, mean score, and share of landslide among them."""
        count, score, share = (a[0] for a in _bins(self.positive[None], self.negative[None]))
        return [
            {
                "from": i / BINS,
                "to": (i + 1) / BINS,
                "pixels": int(count[i]),
                "score": round(float(score[i]), 5),
                "share": round(float(share[i]), 5),
            }
            for i in range(BINS)
            if count[i]
        ]

    def _scores(self) -> list[Score]:
        tp = np.cumsum(self.positive[::-1])[::-1]
        fp = np.cumsum(self.negative[::-1])[::-1]
        out = []
        for i in range(STEPS + 1):
            four = _ratios(tp[i], fp[i], self.positive.sum() - tp[i])
            out.append(Score(i / STEPS, **{k: float(v) for k, v in four.items()}))
        return out


class Counts:
    """Histograms of single patches, one row each: ``positive`` and ``negative`` have shape patches × 251."""

    def __init__(self, positive: np.ndarray, negative: np.ndarray) -> None:
        self.positive, self.negative = positive, negative

    @staticmethod
    def of(steps: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> Counts:
        """Counts N,H,W arrays: uint8 steps, boolean truth and valid."""
        row = np.arange(len(steps))[:, None, None] * (STEPS + 1) + steps
        size = len(steps) * (STEPS + 1)

        def count(chosen: np.ndarray) -> np.ndarray:
            return np.bincount(row[chosen], minlength=size).reshape(-1, STEPS + 1)

        return Counts(count(valid & truth), count(valid & ~truth))

    @staticmethod
    def join(parts: Sequence[Counts]) -> Counts:
        """Puts the patches of several counts one after the other."""
        return Counts(np.concatenate([p.positive for p in parts]), np.concatenate([p.negative for p in parts]))

    def __len__(self) -> int:
        return len(self.positive)

    def select(self, rows: np.ndarray) -> Counts:
        """Some of the patches, by index or boolean."""
        return Counts(self.positive[rows], self.negative[rows])

    def total(self) -> Histogram:
        """All patches in one histogram."""
        return Histogram(self.positive.sum(0), self.negative.sum(0))

    def confusion(self, threshold: float) -> np.ndarray:
        """Patches × 3: true positives, false positives and false negatives of the mask ``score ≥ threshold``."""
        at = step_at(threshold)
        found = self.positive[:, at:].sum(1)
        return np.stack([found, self.negative[:, at:].sum(1), self.positive.sum(1) - found], 1)

    def grouped(self, groups: np.ndarray) -> Counts:
        """One row for each group of patches, told by a number for each patch: to draw whole groups in a bootstrap."""
        return Counts(add_up(self.positive, groups), add_up(self.negative, groups))

    def intervals(self, threshold: float, rounds: int = ROUNDS, seed: int = 1) -> dict[str, tuple[float, float]]:
        """95 % percentile intervals by bootstrap over patches, for the measures of :class:`Score`, ``average_precision``
        and ``calibration_error``: patches are drawn with replacement, the global matrix is computed anew each time."""
        weights = resamples(len(self), rounds, seed)
        tp, fp, fn = (weights @ self.confusion(threshold)).T
        positive, negative = weights @ self.positive, weights @ self.negative
        samples = _ratios(tp, fp, fn) | {
            "average_precision": _average_precision(positive, negative),
            "calibration_error": _calibration_error(positive, negative),
        }
        return {k: interval(v) for k, v in samples.items()}


def resamples(patches: int, rounds: int = ROUNDS, seed: int = 1) -> np.ndarray:
    """Rounds × patches: how often each patch is drawn in each resample. The same seed gives the same draws, so that
    two methods on the same patches can be compared pair by pair."""
    # As floats, which NumPy multiplies far faster; sums of pixels stay exact.
    return np.random.default_rng(seed).multinomial(patches, np.full(patches, 1 / patches), rounds).astype(np.float64)


def add_up(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums of the rows of each group, groups in order."""
    _, at = np.unique(groups, return_inverse=True)
    out = np.zeros((at.max() + 1, *rows.shape[1:]), rows.dtype)
    np.add.at(out, at, rows)
    return out


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The range that holds the middle 95 % of the samples."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def difference(a: Counts, at: float, b: Counts, threshold: float, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """F1 of ``b`` (mask at ``threshold``) minus F1 of ``a`` (mask at ``at``) on the same patches, with the ends of its
    95 % interval by paired bootstrap."""
    if len(a) != len(b):
        raise ValueError(f"compare {len(a)} patches with {len(b)}: they must be the same patches")
    first, second = a.confusion(at), b.confusion(threshold)
    whole = _ratios(*second.sum(0))["f1"] - _ratios(*first.sum(0))["f1"]
    weights = resamples(len(a), rounds)
    f1 = [_ratios(*(weights @ c).T)["f1"] for c in (first, second)]
    return round(float(whole), 4), *interval(f1[1] - f1[0])


def _ratios(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> dict[str, np.ndarray]:
    """The four measures; 0 where there is nothing to divide by."""
    return {
        "iou": tp / np.maximum(tp + fp + fn, 1),
        "f1": 2 * tp / np.maximum(2 * tp + fp + fn, 1),
        "precision": tp / np.maximum(tp + fp, 1),
        "recall": tp / np.maximum(tp + fn, 1),
    }


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Rows of histograms → area under each one's precision-recall curve, as a sum of steps."""
    tp = np.cumsum(positive[:, ::-1], axis=1)
    fp = np.cumsum(negative[:, ::-1], axis=1)
    recall = tp / np.maximum(tp[:, -1:], 1)
    precision = tp / np.maximum(tp + fp, 1)
    return (np.diff(recall, axis=1, prepend=0) * precision).sum(1)


def _bins(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of histograms → pixels, mean score and share of landslide of each row's bins."""
    steps = np.arange(STEPS + 1)
    member = (np.minimum(steps * BINS // STEPS, BINS - 1)[:, None] == np.arange(BINS)).astype(float)
    every = positive + negative
    count = every @ member
    return count, (every * (steps / STEPS)) @ member / np.maximum(count, 1), positive @ member / np.maximum(count, 1)


def _calibration_error(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    count, score, share = _bins(positive, negative)
    return (count * np.abs(share - score)).sum(1) / np.maximum(count.sum(1), 1)
