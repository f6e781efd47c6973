"""Scores of probability maps, from one global confusion matrix at any threshold."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

STEPS = 250
"""Probabilities are counted in steps of 1/250, as the server stores them."""


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


class Histogram:
    """Counts pixels by score (0..1) and truth, so that every threshold can be judged afterwards."""

    def __init__(self) -> None:
        self.positive = np.zeros(STEPS + 1, np.int64)
        self.negative = np.zeros(STEPS + 1, np.int64)

    def add(self, score: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> None:
        """Adds pixels; all three arrays have one shape, truth and valid are boolean."""
        step = np.clip(np.rint(score * STEPS), 0, STEPS).astype(np.int64)
        self.positive += np.bincount(step[valid & truth], minlength=STEPS + 1)
        self.negative += np.bincount(step[valid & ~truth], minlength=STEPS + 1)

    def at(self, threshold: float) -> Score:
        """Scores of the mask ``score ≥ threshold``."""
        return self._scores()[int(np.ceil(round(threshold * STEPS, 6)))]

    def best(self) -> Score:
        """The threshold with the highest IoU. For validation data: never choose it on test data."""
        return max(self._scores()[1:-1], key=lambda s: s.iou)

    def average_precision(self) -> float:
        """Area under the precision-recall curve."""
        scores = self._scores()[::-1]
        recall = np.array([0.0, *(s.recall for s in scores)])
        precision = np.array([s.precision for s in scores])
        return float(np.sum(np.diff(recall) * precision))

    def _scores(self) -> list[Score]:
        tp = np.cumsum(self.positive[::-1])[::-1]
        fp = np.cumsum(self.negative[::-1])[::-1]
        fn = self.positive.sum() - tp
        out = []
        for i in range(STEPS + 1):
            found, wrong, missed = int(tp[i]), int(fp[i]), int(fn[i])
            out.append(
                Score(
                    threshold=i / STEPS,
                    iou=found / max(found + wrong + missed, 1),
                    f1=2 * found / max(2 * found + wrong + missed, 1),
                    precision=found / max(found + wrong, 1),
                    recall=found / max(found + missed, 1),
                )
            )
        return out
