"""Scores by object: which landslides were found, and which of those that were drawn are real, by size.

An object is a group of valid pixels of a mask that are joined by edges, as the server outlines them. It is matched when at least half of its
pixels lie in the other mask: a reference object then counts as found, a predicted one as right. Objects that a patch's
edge or a cloud cuts are judged, and sorted by size, by what is left of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .metrics import ROUNDS, add_up, interval, resamples

PIXEL_HECTARES = 0.01
"""A pixel of 10 m × 10 m."""

BOUNDS = (0.1, 0.5, 2.0, 10.0)
"""Hectares that separate size classes; an object of exactly such a size belongs to the larger class."""

CLASSES = ("< 0.1 ha", "0.1–0.5 ha", "0.5–2 ha", "2–10 ha", "≥ 10 ha")

SHARE = 0.5
"""Share of an object's pixels that the other mask must cover."""


@dataclass(frozen=True)
class Objects:
    """Patches × size classes: objects of the reference and found ones, predicted objects and right ones."""

    reference: np.ndarray
    found: np.ndarray
    predicted: np.ndarray
    right: np.ndarray

    def grouped(self, groups: np.ndarray) -> Objects:
        """One row for each group of patches, told by a number for each patch."""
        return Objects(*(add_up(a, groups) for a in (self.reference, self.found, self.predicted, self.right)))

    def table(self, rounds: int = ROUNDS) -> list[dict[str, object]]:
        """One row for all sizes, then one a size class; recall and precision are None where there is no object.
        Intervals are 95 %, by bootstrap over patches."""
        weights = resamples(len(self.reference), rounds)
        rows = []
        for name, columns in [("all", slice(None)), *((c, slice(i, i + 1)) for i, c in enumerate(CLASSES))]:
            row: dict[str, object] = {"size": name}
            for measure, part, whole in (
                ("recall", self.found, self.reference),
                ("precision", self.right, self.predicted),
            ):
                part, whole = part[:, columns].sum(1), whole[:, columns].sum(1)
                total = int(whole.sum())
                row["reference" if measure == "recall" else "predicted"] = total
                row[measure] = round(float(part.sum() / total), 4) if total else None
                drawn = weights @ whole
                samples = (weights @ part)[drawn > 0] / drawn[drawn > 0]
                row[f"{measure}_interval"] = interval(samples) if total else None
            rows.append(row)
        return rows


def count(predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray, share: float = SHARE) -> Objects:
    """Compares boolean masks N,H,W patch by patch; pixels that aren't valid belong to neither."""
    rows = [
        (*_matched(t & v, p & v, share), *_matched(p & v, t & v, share))
        for p, t, v in zip(predicted, truth, valid, strict=True)
    ]
    return Objects(*(np.array(column).reshape(-1, len(CLASSES)) for column in zip(*rows, strict=True)))


def _matched(mask: np.ndarray, other: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Objects of a mask by size class, and those among them that the other mask covers."""
    labels, number = ndimage.label(mask)
    pixels = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    covered = np.bincount(labels[other].ravel(), minlength=number + 1)[1:]
    # Rounded, for 0.01 isn't a binary number: ten pixels are 0.1 ha and not a little less or more.
    kind = np.searchsorted(BOUNDS, np.round(pixels * PIXEL_HECTARES, 6), side="right")
    matched = covered >= share * pixels
    return np.bincount(kind, minlength=len(CLASSES)), np.bincount(kind[matched], minlength=len(CLASSES))
