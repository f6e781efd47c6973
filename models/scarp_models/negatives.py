"""Real pairs from time series of farmland without landslides, as a patch set; some get simulated landslides.

Fields are ploughed, sown and harvested between the dates, which is just what a network that only saw
simulated change takes for landslides. The landslides of a simulated patch, blended into the later date of
some of the pairs with its terrain, teach that a landslide may lie beside such change.
"""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path

import numpy as np
import rasterio
import rasterio.errors
from scipy import ndimage

from .bbunet import BANDS
from .data import PatchSet
from .mixtures import write

_CLOUD_OF_SCL = {8: 1, 9: 1, 10: 2, 3: 3}  # thick, thin, shadow
_RED = BANDS.index("B04")


def build(source: Path, out: Path, pairs: int = 300, size: int = 128, seed: int = 7, slides: PatchSet | None = None) -> int:
    """Writes pairs of dates from the NetCDF stacks of ``source`` (``S2_L2A_10m_<place>_*.nc`` with B02, B03, B04
    and B08, ``S2_L2A_20m_<place>_*.nc`` with the others and SCL), half of them with landslides of ``slides``
    where that is given. Places smaller than ``size`` are mirrored at their edges. Bands that the files lack
    stay 0 on both dates. Without landslides the terrain is flat, as it is there. Returns the number of pairs.
    """
    rng = np.random.default_rng(seed)
    places = []
    for path in sorted(source.glob("S2_L2A_10m_*.nc")):
        place = re.fullmatch(r"S2_L2A_10m_([^_]+)_.*", path.stem)[1]
        coarse = next(source.glob(f"S2_L2A_20m_{place}_*.nc"))
        places.append(_read_place(path, coarse))
    if not places:
        raise ValueError(f"build real pairs: no S2_L2A_10m_*.nc in {source}")
    pre = np.zeros((pairs, len(BANDS), size, size), np.uint16)
    post, cloud = pre.copy(), np.zeros((pairs, 2, size, size), np.uint8)
    terrain, mask = np.zeros((pairs, 3, size, size), np.float32), np.zeros((pairs, size, size), np.uint8)
    for i in range(pairs):
        bands, classes = places[i % len(places)]
        first, second = np.sort(rng.choice(len(bands), 2, replace=False))
        turn = (int(rng.integers(4)), (int(rng.integers(bands.shape[-1])), int(rng.integers(bands.shape[-1]))))
        pre[i], post[i] = _grow(bands[first], size, turn), _grow(bands[second], size, turn)
        cloud[i] = _grow(classes[[first, second]], size, turn)
        if slides is not None and i % 2:
            j = int(rng.integers(len(slides)))
            post[i], mask[i] = _blend(post[i], slides, j, rng)
            terrain[i] = slides.terrain[j][:, :size, :size]
    write(out, pre, post, terrain, mask, cloud)
    return pairs


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``negatives``."""
    parser = commands.add_parser("negatives", help="make a patch set of real farmland, with simulated landslides in half of it")
    parser.add_argument("--source", type=Path, required=True, help="folder of NetCDF time series")
    parser.add_argument("--slides", type=Path, help="patch set whose landslides are laid over the later dates")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=7)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    slides = PatchSet(options.slides) if options.slides else None
    print(build(options.source, options.out, options.pairs, options.size, options.seed, slides), "pairs")


def _read_place(fine: Path, coarse: Path) -> tuple[np.ndarray, np.ndarray]:
    """All clear enough dates of a place: (dates,12,H,W) digital numbers and (dates,H,W) cloud classes."""
    layers, dates = {}, {}
    warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    for path, names in ((fine, ("B02", "B03", "B04", "B08")), (coarse, ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL"))):
        for name in names:
            with rasterio.open(f'netcdf:"{path}":{name}') as file:
                layers[name] = file.read()
                dates[name] = [file.tags(b).get("NETCDF_DIM_timestamp") for b in file.indexes]
    if any(d != dates["B02"] for d in dates.values()):
        raise ValueError(f"read {fine} and {coarse}: they hold different dates")
    height, width = layers["B02"].shape[1:]
    bands = np.zeros((len(layers["B02"]), len(BANDS), height, width), np.uint16)
    for name, values in layers.items():
        if name in BANDS:
            bands[:, BANDS.index(name)] = _double(values, height)
    scl = _double(layers["SCL"], height)
    cloud = np.zeros(scl.shape, np.uint8)
    for value, kind in _CLOUD_OF_SCL.items():
        cloud[scl == value] = kind
    whole = (bands[:, _RED] > 0).mean((1, 2)) > 0.9
    clear = ((cloud == 1) | (cloud == 2)).mean((1, 2)) < 0.4
    return bands[whole & clear], cloud[whole & clear]


def _double(values: np.ndarray, height: int) -> np.ndarray:
    factor = height // values.shape[1]
    return values.repeat(factor, 1).repeat(factor, 2)


def _grow(layer: np.ndarray, size: int, turn: tuple[int, tuple[int, int]]) -> np.ndarray:
    """Mirrors C,H,W to C,size,size, shifted and turned so that no two pairs look alike."""
    turns, shift = turn
    grow = size + max(layer.shape[-2:])
    padded = np.pad(layer, [(0, 0), (0, max(grow - layer.shape[1], 0)), (0, max(grow - layer.shape[2], 0))], mode="symmetric")
    cut = padded[:, shift[0] : shift[0] + size, shift[1] : shift[1] + size]
    return np.rot90(cut, turns, (1, 2))


def _blend(post: np.ndarray, slides: PatchSet, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lays a simulated patch's landslides over the later date; bands that the date lacks stay 0."""
    size = post.shape[-1]
    mask = slides.mask[number][:size, :size] > 0
    soft = np.clip(ndimage.gaussian_filter(mask.astype(np.float32), 0.6), 0, 1)
    bare = slides.post[number][:, :size, :size].astype(np.float32)
    gain = np.exp(rng.normal(0, 0.15))
    mixed = np.clip(post * (1 - soft) + bare * gain * soft, 1, 16000)
    return np.where(post > 0, mixed, 0).astype(np.uint16), mask.astype(np.uint8)
