"""Random changes to single-date training samples, in stored units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .augment import dihedral
from .landslide4sense import CHANNELS, OPTICAL, RGB, Sample

GROUPS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.40, CHANNELS),
    (0.15, ("B02", "B03", "B04")),
    (0.05, ("B02", "B03", "B04", "slope", "elevation")),
    (0.10, ("B02", "B03", "B04", "B08", "slope", "elevation")),
    (0.10, tuple(c for c in CHANNELS if c not in ("B01", "B09", "B10"))),
    (0.10, tuple(c for c in CHANNELS if c != "B10")),
    (0.10, CHANNELS[:OPTICAL]),
)
"""How often a sample that has all channels is shown with which of them: all; the usual 8-bit picture; four bands;
without the 60 m bands; L2A, which has no cirrus band; without terrain."""


@dataclass(frozen=True)
class Changes:
    """How strong the changes are. The defaults are what the shipped network is trained with."""

    flips: bool = True
    zoom: float = 0.0  # deviation of the logarithm of a magnification, with a turn by any angle, of half the samples; 0 leaves the grid alone
    brightness: float = 0.12  # deviation of the logarithm of one gain for all bands
    bands: float = 0.04  # the same for each band by itself
    haze: float = 0.06  # largest offset, in stored units, the same in all bands
    contrast: float = 0.10  # deviation of a stretch about the patch's own mean
    elevation: float = 0.5  # deviation of an offset of the elevation, in stored units (770 m)
    noise: float = 0.01  # deviation of noise in stored units
    drop: bool = True  # show fewer channels, by GROUPS
    one_band: float = 0.05  # chance that one more band is missing

    @staticmethod
    def none() -> Changes:
        """Leaves samples as they are."""
        return Changes(False, 0, 0, 0, 0, 0, 0, 0, False, 0)


def change(sample: Sample, how: Changes, rng: np.random.Generator) -> Sample:
    """Gives a changed copy; channels that are absent stay 0."""
    image, mask, valid = sample.image.clone(), sample.mask.clone(), sample.valid.clone()
    present = sample.present.clone()
    count = len(sample)
    if how.flips:
        for i in range(count):
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            image[i] = dihedral(image[i], turns, flip)
            mask[i], valid[i] = dihedral(mask[i], turns, flip), dihedral(valid[i], turns, flip)
    if how.zoom:
        image, mask, valid = _zoomed(image, mask, valid, how.zoom, rng)
    optical = image[:, :OPTICAL]
    empty = optical == 0
    gain = rng.normal(0, how.brightness, (count, 1)) + rng.normal(0, how.bands, (count, OPTICAL))
    stretch = 1 + rng.normal(0, how.contrast, (count, 1))
    offset = rng.uniform(-how.haze, how.haze, (count, 1))
    mean = optical.mean((2, 3), keepdim=True)
    optical = (optical - mean) * _column(stretch) + mean
    optical = optical * _column(np.exp(gain)) + _column(offset)
    if how.noise:
        seed = int(rng.integers(2**62))
        optical += torch.empty_like(optical).normal_(0, how.noise, generator=torch.Generator().manual_seed(seed))
    image[:, :OPTICAL] = optical.clamp_min(1e-3).masked_fill_(empty, 0)
    lift = torch.from_numpy(rng.normal(0, how.elevation, count)).float() if how.elevation else torch.zeros(count)
    image[:, -1] = (image[:, -1] + lift[:, None, None]).clamp_min(0)
    if how.drop:
        for i in range(count):
            present[i] &= torch.from_numpy(_shown(how, rng))
    image *= present[:, :, None, None]
    return Sample(image, present, mask, valid)


def only(sample: Sample, channels: tuple[str, ...]) -> Sample:
    """The sample as a user sees it who has only some channels."""
    keep = torch.tensor([c in channels for c in CHANNELS])
    present = sample.present & keep
    return Sample(sample.image * present[:, :, None, None], present, sample.mask, sample.valid)


def _zoomed(
    image: torch.Tensor, mask: torch.Tensor, valid: torch.Tensor, spread: float, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Turns and magnifies half of the samples about their middle. Beyond their edges they are mirrored. A channel
    that is absent stays so; where a bilinear mean takes in a pixel without data there is none."""
    count = len(image)
    angle = rng.uniform(0, 2 * np.pi, count)
    scale = np.exp(-np.clip(rng.normal(0, spread, count), -0.5, 0.5))
    still = rng.random(count) < 0.5
    angle[still], scale[still] = 0, 1
    turn = np.zeros((count, 2, 3), np.float32)
    turn[:, 0, 0] = turn[:, 1, 1] = scale * np.cos(angle)
    turn[:, 0, 1], turn[:, 1, 0] = -scale * np.sin(angle), scale * np.sin(angle)
    grid = torch.nn.functional.affine_grid(torch.from_numpy(turn), list(image.shape), align_corners=False)

    def moved(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.grid_sample(x.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    seen = moved((image != 0).float()) > 0.999
    return moved(image) * seen, (moved(mask) >= 0.5).float(), moved(valid) > 0.999


def _shown(how: Changes, rng: np.random.Generator) -> np.ndarray:
    """Which channels a sample keeps."""
    shares = np.array([share for share, _ in GROUPS])
    group = GROUPS[int(rng.choice(len(GROUPS), p=shares / shares.sum()))][1]
    keep = np.array([c in group for c in CHANNELS])
    if rng.random() < how.one_band:
        gone = int(rng.integers(OPTICAL))
        keep[gone] = gone in RGB and keep.sum() <= len(RGB)
    return keep


def _column(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values).float()[:, :, None, None]
