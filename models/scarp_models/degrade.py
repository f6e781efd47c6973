"""Makes patches worse in ways that real data are: fewer bands, coarser, clouded, shifted. Raw values in and out.

Each function leaves its argument as it is. What is drawn at random depends on the number of the patch only, so that two
networks see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from .bbunet import BANDS
from .data import RED, Batch


def only(batch: Batch, bands: Sequence[str]) -> Batch:
    """Removes all other bands from both dates: they are 0 everywhere, which counts as absent."""
    gone = [i for i, b in enumerate(BANDS) if b not in bands]
    pre, post = batch.pre.clone(), batch.post.clone()
    pre[:, gone] = 0
    post[:, gone] = 0
    return replace(batch, pre=pre, post=post)


def flat(batch: Batch) -> Batch:
    """Removes the terrain."""
    return replace(batch, terrain=torch.zeros_like(batch.terrain))


def coarse(batch: Batch, metres: float) -> Batch:
    """Lets both images be of coarser pixels: averaged over areas of that size, then brought back to 10 m bilinearly.

    Areas are whole pixels where the size is no multiple of 10 m: then some hold one pixel more than others.
    """
    return replace(batch, pre=_coarse(batch.pre, metres), post=_coarse(batch.post, metres))


def _coarse(dn: Tensor, metres: float) -> Tensor:
    size = dn.shape[-2:]
    smaller = [max(1, round(n * 10 / metres)) for n in size]
    has = (dn[:, RED : RED + 1] > 0).float()
    value, weight = functional.adaptive_avg_pool2d(dn * has, smaller), functional.adaptive_avg_pool2d(has, smaller)
    up = functional.interpolate(value / weight.clamp_min(1e-6), size=size, mode="bilinear", align_corners=False)
    return up * has


def apart(batch: Batch, pixels: float, first: int = 0) -> Batch:
    """Moves the image before the event by a distance, in a direction of its own for each patch.

    Where nothing is known any more (beyond the edge, or beside a gap) pixels have no data and aren't judged.
    """
    angles = [np.random.default_rng([7, first + i]).uniform(0, 2 * np.pi) for i in range(len(batch))]
    moves = [(pixels * np.sin(a), pixels * np.cos(a)) for a in angles]
    pre = torch.stack([moved(x, dy, dx) for x, (dy, dx) in zip(batch.pre, moves, strict=True)])
    return replace(batch, pre=pre, valid=batch.valid & (pre[:, RED : RED + 1] > 0))


def moved(x: Tensor, dy: float, dx: float) -> Tensor:
    """Moves C,H,W down and right by parts of pixels, bilinearly."""
    height, width = x.shape[-2:]
    rows, columns = torch.arange(height, dtype=torch.float64) - dy, torch.arange(width, dtype=torch.float64) - dx
    out = x.new_zeros(x.shape)
    known = torch.zeros(height, width, dtype=torch.float64)
    has = x[RED] > 0
    for iy in (0, 1):
        for ix in (0, 1):
            y, x_ = rows.floor() + iy, columns.floor() + ix
            wy = 1 - (rows - y).abs()
            wx = 1 - (columns - x_).abs()
            inside = ((y >= 0) & (y < height))[:, None] & ((x_ >= 0) & (x_ < width))[None]
            yi, xi = y.clamp(0, height - 1).long(), x_.clamp(0, width - 1).long()
            weight = (wy[:, None] * wx[None]) * inside * has[yi][:, xi]
            out += x[:, yi][:, :, xi] * weight.float()
            known += weight
    return torch.where(known > 1 - 1e-6, out, 0)


def cloud(batch: Batch, share: float, first: int = 0) -> tuple[Batch, Tensor]:
    """Puts thick cloud over a share of the pixels of one date: post in patches of even number, pre in the others.

    Gives the batch, whose ``valid`` knows nothing of it, and where the cloud is (N,1,H,W boolean). Around it lies a rim
    of haze of some pixels, as clouds have that masks leave out.
    """
    pre, post = batch.pre.clone(), batch.post.clone()
    hidden = torch.zeros_like(batch.valid)
    for i in range(len(batch)):
        rng = np.random.default_rng([11, first + i])
        target = post if (first + i) % 2 == 0 else pre
        opacity, mask = _cloud_field(rng, target.shape[-2:], share)
        white = torch.from_numpy(rng.uniform(4500, 8000) * _SPECTRUM * rng.normal(1, 0.03, len(BANDS))).float()
        tops = torch.from_numpy(0.85 + 0.3 * ndimage.gaussian_filter(rng.random(opacity.shape), 2)).float()
        veil = torch.from_numpy(opacity).float()
        seen = target[i] > 0
        target[i] = torch.where(seen, target[i] * (1 - veil) + white[:, None, None] * tops * veil, 0)
        hidden[i, 0] = torch.from_numpy(mask)
    return replace(batch, pre=pre, post=post), hidden


# Thick water cloud is white up to the near infrared and darker in the shortwave, B09 lies in water vapour.
_SPECTRUM = np.array([1, 1, 0.98, 1, 1, 1.02, 1.02, 1.02, 1.02, 0.9, 0.75, 0.6])
_RIM = 4.0  # pixels over which a cloud thins out


def _cloud_field(rng: np.random.Generator, size: Sequence[int], share: float) -> tuple[np.ndarray, np.ndarray]:
    field = ndimage.gaussian_filter(rng.standard_normal(tuple(size)), max(size) / 14, mode="reflect")
    mask = field >= np.quantile(field, 1 - share)
    away = ndimage.distance_transform_edt(~mask)
    return np.clip(1 - away / _RIM, 0, 1), mask
