"""Simple rules without any training: what a network has to beat to be worth shipping.

Each gives scores in 0..1 like a network does, so thresholds are chosen and figures computed the same way. Slopes that
a rule is restricted to are chosen on validation data as well (:func:`fit`), so that no baseline is made weak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .bbunet import BANDS
from .data import RED, Batch, PatchSet
from .metrics import Histogram

Scorer = Callable[[Batch], np.ndarray]
"""Gives N,1,S,S scores in 0..1, high where a landslide is new."""

SLOPES = (5.0, 10.0, 15.0, 20.0)
"""Degrees among which a slope gate is chosen."""

_NIR = BANDS.index("B08")
_VISIBLE = [BANDS.index(b) for b in ("B02", "B03", "B04")]
_BRIGHTEST = 0.5  # gain of reflectance that scores 1


def vegetation_loss(batch: Batch) -> np.ndarray:
    """Loss of NDVI (0..1 of it); in patches without near infrared the gain of brightness, the mean of red, green and
    blue, of which 0.5 in reflectance scores 1."""
    return _vegetation(batch).clamp(0, 1).numpy()


def centred_vegetation_loss(batch: Batch) -> np.ndarray:
    """The same after the median over the patch is taken away: what season and haze do to the whole."""
    return _centred(_vegetation(batch), batch).clamp(0, 1).numpy()


def change_vector(batch: Batch) -> np.ndarray:
    """Change vector analysis: length of the difference over all bands in reflectance; 1 is 1.0."""
    return _length((batch.post - batch.pre) / 10000)


def centred_change_vector(batch: Batch) -> np.ndarray:
    """The same after each band's median change over the patch is taken away."""
    return _length(_centred((batch.post - batch.pre) / 10000, batch))


def on_slopes(rule: Scorer, degrees: float) -> Scorer:
    """Lets a rule score on ground of at least a slope only; patches without terrain are let through."""

    def score(batch: Batch) -> np.ndarray:
        return rule(batch) * _steep(batch, degrees)

    return score


RULES: dict[str, Scorer] = {
    "NDVI loss": vegetation_loss,
    "NDVI loss, centred": centred_vegetation_loss,
    "change vector": change_vector,
    "change vector, centred": centred_change_vector,
}


@dataclass(frozen=True)
class Baseline:
    """A rule with what validation data chose for it."""

    name: str
    slope: float  # degrees of the gate, 0 without one
    threshold: float
    scorer: Scorer


def fit(sets: Sequence[PatchSet], batch: int = 8) -> list[Baseline]:
    """Chooses, on validation data, the threshold of each rule, then slope and threshold of each rule with a gate."""
    gates = (0.0, *SLOPES)
    counts = {(name, gate): Histogram() for name in RULES for gate in gates}
    for patches in sets:
        for part in patches.batches(batch):
            truth, valid = part.mask.numpy() > 0, part.valid.numpy()
            for name, rule in RULES.items():
                score = rule(part)
                for gate in gates:
                    counts[name, gate].add(score * _steep(part, gate), truth, valid)
    out = []
    for name, rule in RULES.items():
        best = {gate: counts[name, gate].best() for gate in gates}
        out.append(Baseline(name, 0, best[0].threshold, rule))
        gate = max(SLOPES, key=lambda g: best[g].iou)
        out.append(Baseline(f"{name}, slope ≥ {gate:g}°", gate, best[gate].threshold, on_slopes(rule, gate)))
    return out


def _steep(batch: Batch, degrees: float) -> np.ndarray:
    unknown = ~batch.terrain.flatten(1).any(1)
    return ((batch.terrain[:, 1:2] >= degrees) | unknown[:, None, None, None]).numpy()


def _vegetation(batch: Batch) -> torch.Tensor:
    drop = _ndvi(batch.pre) - _ndvi(batch.post)
    gain = (batch.post[:, _VISIBLE] - batch.pre[:, _VISIBLE]).mean(1, keepdim=True) / (10000 * _BRIGHTEST)
    has_nir = batch.pre[:, _NIR].flatten(1).any(1) & batch.post[:, _NIR].flatten(1).any(1)
    return torch.where(has_nir[:, None, None, None], drop, gain)


def _ndvi(dn: torch.Tensor) -> torch.Tensor:
    red, nir = dn[:, RED : RED + 1], dn[:, _NIR : _NIR + 1]
    return (nir - red) / (nir + red).clamp_min(1)


def _length(change: torch.Tensor) -> np.ndarray:
    return change.square().sum(1, keepdim=True).sqrt().clamp(0, 1).numpy()


def _centred(change: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Takes each channel's median over the pixels with data on both dates from it, patch by patch."""
    seen = ((batch.pre[:, RED] > 0) & (batch.post[:, RED] > 0))[:, None].expand_as(change)
    middle = change.masked_fill(~seen, float("nan")).flatten(2).nanmedian(2).values.nan_to_num()
    return change - middle[:, :, None, None]
