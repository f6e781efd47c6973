"""What is known of landslides without any data: they start on steep ground and run downhill from there.

Two rules work on a network's probabilities and need no training: :class:`Runout` judges whole components of a mask,
:func:`reweigh` single pixels. :func:`slope_prior` is the same knowledge as a term of a loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

PIXEL = 10.0
"""Ground size of a pixel in metres."""

Rule = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
"""Scores H,W, terrain 3,H,W (elevation in m, slope in degrees first) and threshold → scores H,W."""

_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Runout:
    """Keeps a component of a mask only where a landslide could have come from and gone to.

    It must have a source: ground of at least ``source`` degrees among its pixels, or within ``reach`` pixels of it and
    no lower than its own highest pixel less a pixel's relief. And it must have run downhill: its relief over its length,
    from the highest pixel to the one that is farthest from it, must be a travel angle of at least ``travel`` degrees
    (components of a few pixels, whose angle the DEM doesn't tell, are excused). Others have their scores multiplied by
    ``damp``: 0 drops them.
    """

    source: float = 15.0
    travel: float = 5.0
    reach: int = 3
    damp: float = 0.0
    smallest: int = 10  # pixels from which on the travel angle is asked for

    def __call__(self, score: np.ndarray, terrain: np.ndarray, threshold: float) -> np.ndarray:
        """Scores H,W and terrain 3,H,W (elevation in m, slope in degrees first) → scores H,W."""
        elevation, slope = terrain[0], terrain[1]
        if not elevation.any() and not slope.any():
            return score  # there is no DEM, so nothing to judge by
        labels, number = ndimage.label(score >= threshold, _NEIGHBOURS)
        out = score.copy()
        for label, box in enumerate(ndimage.find_objects(labels), start=1):
            around = tuple(slice(max(s.start - self.reach, 0), s.stop + self.reach) for s in box)
            inside = labels[around] == label
            if not self.plausible(inside, elevation[around], slope[around]):
                out[around][inside] *= self.damp
        return out

    def plausible(self, inside: np.ndarray, elevation: np.ndarray, slope: np.ndarray) -> bool:
        """Whether one component (a boolean mask, with its surroundings) could be a landslide."""
        heights = np.where(inside, elevation, np.nan)
        if np.isnan(heights).all():
            return True
        top, bottom = np.nanmax(heights), np.nanmin(heights)
        near = ndimage.binary_dilation(inside, _NEIGHBOURS, iterations=self.reach) if self.reach else inside
        above = near & (elevation >= top - PIXEL * math.tan(math.radians(self.source)))
        if not ((slope >= self.source) & (inside | above)).any():
            return False
        if np.count_nonzero(inside) < self.smallest:
            return True
        at = np.argwhere(inside)
        length = PIXEL * float(np.hypot(*(at - np.argwhere(heights == top)[0]).T).max())
        return top - bottom >= math.tan(math.radians(self.travel)) * length


def gentleness(slope: Tensor, angle: float, width: float) -> Tensor:
    """1 on flat ground, ½ at ``angle`` degrees, 0 on steep ground; ``width`` degrees are one unit of the logistic."""
    return torch.sigmoid((angle - slope) / width)


def reweigh(probability: np.ndarray, slope: np.ndarray, angle: float, width: float = 3.0) -> np.ndarray:
    """Multiplies the odds of a landslide by a prior that falls from 1 on steep ground to 0 on flat ground."""
    prior = 1 / (1 + np.exp((angle - slope) / width))
    return probability * prior / (probability * prior + 1 - probability + 1e-9)


def slope_prior(
    logits: Tensor, slope: Tensor, valid: Tensor | None = None, mask: Tensor | None = None, angle: float = 8.0, width: float = 2.0
) -> Tensor:
    """A term for the loss that makes landslides on gentle ground costly where nobody saw one.

    The mean over pixels of gentleness · −log(1 − p), with ``logits`` and ``slope`` (degrees) of shape N,1,H,W. Pixels
    that aren't ``valid`` don't count, nor do those of true landslides in ``mask``: runout does reach flat ground.
    """
    weight = gentleness(slope, angle, width)
    if mask is not None:
        weight = weight * (mask <= 0)
    keep = torch.ones_like(weight) if valid is None else valid.to(weight.dtype)
    return (functional.softplus(logits.float()) * weight * keep).sum() / keep.sum().clamp_min(1)


def rules() -> Iterator[tuple[str, str, Rule]]:
    """The settings that validation data choose from: kind, name and the rule itself."""
    for source in (5.0, 10.0, 15.0, 20.0):
        for travel in (0.0, 5.0, 10.0):
            name = f"runout-consistent: source of {source:g}°, travel angle {travel:g}°"
            yield "runout", name, Runout(source, travel)
    for angle in (2.0, 5.0, 10.0, 15.0):
        yield "prior", f"slope prior: odds halved at {angle:g}°", partial(_reweighed, angle)


def _reweighed(angle: float, score: np.ndarray, terrain: np.ndarray, threshold: float) -> np.ndarray:
    if not terrain[:2].any():
        return score
    return reweigh(score, terrain[1], angle)
