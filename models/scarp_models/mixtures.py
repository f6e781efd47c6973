"""Real images with a simulated "before", and real dates with simulated landslides, as patch sets.

A single-date patch with a mask of its landslides becomes a pair: the landslides are refilled with what surrounds
them, and the refilled image is given another season, haze, light and registration. Some landslides stay in both
images: they are old there, and so a negative. Patches are written as :mod:`scarp_models.data` reads them; bands
that the source lacks are 0 on both dates, as is terrain that it lacks.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from .bbunet import BANDS

DIVISORS = {
    "B01": 1111.81236406, "B02": 824.63171476, "B03": 663.41636217, "B04": 445.17289745, "B05": 645.85829260,
    "B06": 1547.73508126, "B07": 1960.44401001, "B08": 1941.32229668, "B09": 674.07572865, "B11": 1113.98338755,
    "B12": 519.90397929,
}  # fmt: skip
"""Landslide4Sense stores reflectance × 10000 divided by one number for each band (measured on its files)."""

PEAK = (3.9, 0.22)
"""Brightest stored value over B04, B03 and B02 of a patch: median and deviation of its logarithm, over the 36
Landslide4Sense patches that have kept it. The 8-bit RGB patches were divided by it."""

_BLUE, _GREEN, _RED = (BANDS.index(b) for b in ("B02", "B03", "B04"))
_CHAIN = np.array([443, 492, 560, 665, 704, 741, 783, 833, 865, 945, 1614, 2202])


@dataclass(frozen=True)
class Single:
    """Single-date patches: ``bands`` N,12,S,S reflectance × 10000 (0 where the source lacks a band), ``mask``
    N,S,S boolean, ``terrain`` N,3,S,S (elevation, slope, aspect) or zeros."""

    bands: np.ndarray
    mask: np.ndarray
    terrain: np.ndarray


def rgb_patches(path: Path, rng: np.random.Generator, without_blocks: frozenset[int] = frozenset()) -> Single:
    """Landslide4Sense patches that are left as 8-bit RGB, brought back to plausible reflectance.

    ``without_blocks`` leaves out patches whose number // 100 is in it: neighbours of what is tested on.
    """
    with np.load(path) as content:
        keep = ~np.isin(content["index"] // 100, list(without_blocks))
        images, mask = content["images"][keep], content["masks"][keep] > 0
    count, size = len(images), images.shape[1]
    peak = PEAK[0] * np.exp(rng.normal(0, PEAK[1], (count, 1, 1)))
    bands = np.zeros((count, len(BANDS), size, size), np.float32)
    for channel, band in enumerate((_RED, _GREEN, _BLUE)):
        # 8-bit values were rounded down: half a step is added, which also keeps them from 0, no data.
        bands[:, band] = (images[..., channel] + 0.5) / 255 * peak * DIVISORS[BANDS[band]]
    return Single(bands, mask, np.zeros((count, 3, size, size), np.float32))


def band_patches(path: Path, without_blocks: frozenset[int] = frozenset()) -> Single:
    """Landslide4Sense patches with all their bands: eleven of the twelve (B8A is not among them), slope and
    elevation, and the aspect that follows from the elevation."""
    with np.load(path) as content:
        keep = ~np.isin(content["index"] // 100, list(without_blocks))
        images, mask = content["images"][keep].astype(np.float32), content["masks"][keep] > 0
    names = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12")
    count, size = len(images), images.shape[1]
    bands = np.zeros((count, len(BANDS), size, size), np.float32)
    for channel, name in enumerate(names):
        if name in BANDS:
            bands[:, BANDS.index(name)] = images[..., channel]
    slope, elevation = images[..., 12], images[..., 13]
    smooth = ndimage.gaussian_filter(elevation, (0, 1.5, 1.5))
    down, right = np.gradient(smooth, axis=(1, 2))
    # Downhill, clockwise from north: rows grow southwards.
    aspect = np.degrees(np.arctan2(-right, down)) % 360
    return Single(bands, mask, np.stack([elevation, slope, aspect], 1).astype(np.float32))


def write_pairs(single: Single, out: Path, seed: int, repeats: int = 1) -> int:
    """Writes ``repeats`` different pairs of each patch to the folder ``out``; returns their number."""
    rng = np.random.default_rng(seed)
    number = len(single.bands) * repeats
    pre = np.zeros((number, *single.bands.shape[1:]), np.uint16)
    post, mask = pre.copy(), np.zeros((number, *single.mask.shape[1:]), np.uint8)
    for i in range(number):
        j = i % len(single.bands)
        before, after, new = pair(single.bands[j], single.mask[j], rng)
        pre[i], post[i], mask[i] = to_dn(before, single.bands[j]), to_dn(after, single.bands[j]), new
    terrain = np.concatenate([single.terrain] * repeats)
    write(out, pre, post, terrain, mask, np.zeros((number, 2, *mask.shape[1:]), np.uint8))
    return number


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``mixtures``."""
    parser = commands.add_parser("mixtures", help='make pairs of single-date patches: a simulated "before" for each')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--rgb", type=Path, help=".npz of 8-bit RGB patches (images, masks, index)")
    source.add_argument("--bands", type=Path, help=".npz of 14-band patches (images, masks, index)")
    parser.add_argument("--without", type=Path, help=".npz of test patches: hundreds of numbers that it touches are left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=1, help="different pairs of each patch")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    blocks: frozenset[int] = frozenset()
    if options.without:
        with np.load(options.without) as test:
            blocks = frozenset((test["index"] // 100).tolist())
    if options.bands:
        single = band_patches(options.bands, blocks)
    else:
        single = rgb_patches(options.rgb, np.random.default_rng(options.seed), blocks)
    print(write_pairs(single, options.out, options.seed, options.repeats), "pairs")


def pair(image: np.ndarray, slides: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One patch (12,S,S and S,S) as before, after and the mask of what is new."""
    labels, count = ndimage.label(slides, np.ones((3, 3)))
    # One patch in eight shows old landslides alone, the others one old in six.
    old = rng.random(count) < (1.0 if rng.random() < 0.125 else 0.16)
    new = np.isin(labels, 1 + np.flatnonzero(~old)) if count else np.zeros_like(slides)
    before = refill(image, new, slides, rng)
    before = season(before, image, rng)
    after = light(image, rng)
    before = light(before, rng)
    dy, dx = rng.normal(0, 0.5, 2).clip(-1.5, 1.5)
    before = np.stack([ndimage.shift(b, (dy, dx), order=1, mode="nearest") for b in before])
    return before, after, new


def refill(image: np.ndarray, new: np.ndarray, slides: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Takes landslides out of an image: inside them lies the mean of what surrounds them, with the texture
    of another place of the patch that has none. Outlines are a pixel or two off in the labels, so the filled
    part reaches over them and fades out."""
    if not new.any():
        return image.copy()
    grown = ndimage.binary_dilation(new, iterations=int(rng.integers(1, 3)))
    soft = np.clip(ndimage.gaussian_filter(grown.astype(np.float32), 1.0) * 1.6, 0, 1)
    # Whatever is or borders a landslide may not be filled in with.
    usable = ~ndimage.binary_dilation(slides, iterations=2)
    if usable.mean() < 0.02:
        usable = ~slides
    weight = usable.astype(np.float32)
    means, share = np.zeros_like(image), np.zeros_like(weight)
    # Ever wider means, until every pixel has one.
    for sigma in (3, 8, 24, 80):
        here = ndimage.gaussian_filter(weight, sigma)
        ready = (share == 0) & (here > 0.03)
        if ready.any():
            for band, values in enumerate(image):
                if values.any():
                    blurred = ndimage.gaussian_filter(values * weight, sigma)
                    means[band][ready] = blurred[ready] / here[ready]
            share[ready] = 1
    overall = np.array([b[usable].mean() if usable.any() else b.mean() for b in image])
    means += (share == 0) * overall[:, None, None]
    detail = (image - np.stack([ndimage.gaussian_filter(b, 4) for b in image])) * ndimage.gaussian_filter(weight, 1)
    rolls = [tuple(rng.integers(0, n, 1)[0] for n in slides.shape) for _ in range(8)]
    best = max(rolls, key=lambda r: np.roll(usable, r, (0, 1))[grown].mean())
    texture = np.roll(detail, best, (1, 2))
    filled = means + texture * rng.uniform(0.7, 1.1)
    return image * (1 - soft) + filled * soft


def season(before: np.ndarray, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes what grows: fields and woods as patches of their own, greener or drier by some amount."""
    size = image.shape[-1]
    field = ndimage.gaussian_filter(rng.normal(size=(size, size)), float(rng.uniform(2, 16)), mode="wrap")
    field /= field.std()
    strength = abs(rng.normal(0, 0.10))
    amount = rng.normal(0, 0.12) + strength * field
    green = image[_GREEN] / np.maximum(image[_RED] + image[_GREEN] + image[_BLUE], 1)
    plants = np.clip((green - 0.30) / 0.06, 0, 1)
    # Drier land is brighter in the red and in the short-wave infrared, darker in the near infrared.
    drying = np.interp(_CHAIN, [443, 492, 560, 665, 704, 760, 945, 1614, 2202], [0.3, 0.5, 0.7, 1.2, 0.8, -0.5, -0.5, 0.9, 1.2])
    return before * np.exp(np.clip(amount * plants, -0.6, 0.6)[None] * drying[:, None, None])


def light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another day's haze and sun: path reflectance that falls with the wavelength, gain, and a smooth field of
    light over the relief."""
    size = image.shape[-1]
    shade = ndimage.gaussian_filter(rng.normal(size=(size, size)), float(rng.uniform(6, 20)), mode="wrap")
    shade *= abs(rng.normal(0, 0.05)) / shade.std()
    # These images are top of atmosphere: between none and most of the haze that they hold is taken out, as
    # atmospheric correction would, and a little is added.
    floor = np.array([np.percentile(b, 1) if b.any() else 0 for b in image])
    haze = (_CHAIN / 492.0) ** -2.5 * rng.uniform(0, 250)
    left = image - (floor * rng.uniform(0, 0.85))[:, None, None]
    return left * np.exp(rng.normal(0, 0.1) + shade)[None] + haze[:, None, None]


def to_dn(values: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Reflectance × 10000 as it is stored: 0 where the source has none, at least 1 elsewhere."""
    return np.where(source > 0, np.clip(np.rint(values), 1, 16000), 0).astype(np.uint16)


def write(out: Path, pre: np.ndarray, post: np.ndarray, terrain: np.ndarray, mask: np.ndarray, cloud: np.ndarray) -> None:
    """Writes a patch set."""
    out.mkdir(parents=True, exist_ok=True)
    for name, array in (("pre", pre), ("post", post), ("terrain", terrain), ("mask", mask), ("cloud", cloud)):
        np.save(out / f"{name}.npy", array)
