"""How much simulated patches resemble real ones: reflectance, contrast, texture and sizes of landslides, side by side."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from .bbunet import BANDS
from .data import PatchSet
from .mixtures import Single, band_patches

_STEPS = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Band:
    """One band over clear pixels. ``land`` and ``slides``: reflectance × 10000 at the percentiles 5, 50 and 95.
    ``fine`` and ``coarse``: deviation over the median of what is left after a mean over 3 × 3 pixels, and of what
    lies between Gaussians of 1 and 4 pixels; means over patches."""

    land: list[int]
    slides: list[int]
    fine: float
    coarse: float


@dataclass(frozen=True)
class Description:
    """What a set of patches is like. ``contrast``: median of the landslides over the median of the other land in
    each patch, at the percentiles 5, 25, 50, 75 and 95 over patches, red and near infrared. ``sizes``: pixels of
    a landslide at the same percentiles. ``slope``: median degrees of landslides and of all land."""

    bands: dict[str, Band]
    contrast: dict[str, list[float]]
    sizes: list[int]
    slope: tuple[float, float]


def describe(patches: Single) -> Description:
    """Describes single-date patches; bands that are 0 everywhere are left out."""
    bands, land = {}, ~patches.mask
    for band, name in enumerate(BANDS):
        values = patches.bands[:, band].astype(np.float32)
        if not values.any():
            continue
        some = values > 0
        textures = [_texture(v) for v in values if (v > 0).all()]
        fine, coarse = np.mean(textures, 0) if textures else (np.nan, np.nan)
        bands[name] = Band(
            land=_percentiles(values[land & some], (5, 50, 95)),
            slides=_percentiles(values[patches.mask & some], (5, 50, 95)),
            fine=round(float(fine), 3),
            coarse=round(float(coarse), 3),
        )
    sizes = []
    for mask in patches.mask:
        labels, _ = ndimage.label(mask, np.ones((3, 3)))
        sizes += np.bincount(labels.ravel())[1:].tolist()
    slope = patches.terrain[:, 1]
    contrast = {name: _contrast(patches, BANDS.index(name)) for name in ("B04", "B08") if name in bands}
    return Description(
        bands, contrast, _percentiles(np.array(sizes), _STEPS),
        (round(float(np.median(slope[patches.mask])), 1), round(float(np.median(slope)), 1)),
    )  # fmt: skip


def _texture(values: np.ndarray) -> tuple[float, float]:
    middle = max(float(np.median(values)), 1.0)
    fine = values - ndimage.uniform_filter(values, 3)
    coarse = ndimage.gaussian_filter(values, 1) - ndimage.gaussian_filter(values, 4)
    return fine.std() / middle, coarse.std() / middle


def _contrast(patches: Single, band: int) -> list[float]:
    ratios = []
    for values, mask in zip(patches.bands[:, band], patches.mask, strict=True):
        inside, outside = values[mask & (values > 0)], values[~mask & (values > 0)]
        if inside.size > 50 and outside.size > 50:
            ratios.append(np.median(inside) / np.median(outside))
    return [round(float(v), 2) for v in np.percentile(ratios, _STEPS)] if ratios else []


def _percentiles(values: np.ndarray, steps: tuple[int, ...]) -> list[int]:
    return [round(v) for v in np.percentile(values, steps)] if values.size else []


def simulated(patches: PatchSet, count: int = 100) -> Single:
    """The later dates of some patches of a set, cloud taken out as no data."""
    picks = np.linspace(0, len(patches) - 1, min(count, len(patches))).astype(int)
    post = patches.post[picks].astype(np.float32)
    post *= (patches.cloud[picks][:, 1:2] == 0)
    return Single(post, patches.mask[picks] > 0, patches.terrain[picks])


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``realism``."""
    parser = commands.add_parser("realism", help="compare simulated patches with real 14-band ones, band by band")
    parser.add_argument("--patches", type=Path, required=True, help="simulated patch set")
    parser.add_argument("--bands", type=Path, required=True, help=".npz of 14-band patches (images, masks, index)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    sides = {"simulated": describe(simulated(PatchSet(options.patches))), "real": describe(band_patches(options.bands))}
    print(f"{'band':5} {'side':10} {'land 5, 50, 95 %':>20} {'landslides':>20} {'fine':>6} {'coarse':>6}")
    for name in BANDS:
        for side, description in sides.items():
            if band := description.bands.get(name):
                columns = [" ".join(f"{v:6d}" for v in row) for row in (band.land, band.slides)]
                print(f"{name:5} {side:10} {columns[0]:>20} {columns[1]:>20} {band.fine:6.3f} {band.coarse:6.3f}")
    for side, description in sides.items():
        print(f"{side}: contrast {description.contrast}, sizes {description.sizes} px, slope {description.slope}°")
