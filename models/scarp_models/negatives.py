"""Real pairs without landslides, as a patch set: dates of flat Belgian farmland against each other.

Fields are ploughed, sown and harvested between the dates, which is just what a network that only saw
simulated change takes for landslides.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from .bbunet import BANDS

THICK_SCL, THIN_SCL, SHADOW_SCL = (8, 9), (10,), (3,)


def build(source: Path, out: Path, size: int = 128, seed: int = 7, pairs: int = 300) -> int:
    """Writes up to ``pairs`` pairs from the folders of ``source`` (``<place>/S2_L2A_<date>.tif`` with
    band descriptions, ``<place>/SCL_<date>.tif``). Places smaller than ``size`` are mirrored at their
    edges. Bands that a file lacks stay 0 on both dates; the terrain is flat and at sea level, as it is
    there within the network's resolution. Returns the number of pairs."""
    rng = np.random.default_rng(seed)
    every = []
    for place in sorted(p for p in source.iterdir() if p.is_dir()):
        dates = [_read(f, size) for f in sorted(place.glob("S2_L2A_*.tif"))]
        every += [(a, b) for a in dates for b in dates if a is not b]
    chosen = [every[i] for i in rng.permutation(len(every))[:pairs]]
    if not chosen:
        raise ValueError(f"make negatives: no pairs of dates under {source}")
    count = len(chosen)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "pre.npy", np.stack([a[0] for a, _ in chosen]))
    np.save(out / "post.npy", np.stack([b[0] for _, b in chosen]))
    np.save(out / "cloud.npy", np.stack([np.stack([a[1], b[1]]) for a, b in chosen]))
    np.save(out / "mask.npy", np.zeros((count, size, size), np.uint8))
    np.save(out / "terrain.npy", np.zeros((count, 3, size, size), np.float32))
    return count


def _read(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives (12,size,size) digital numbers and (size,size) cloud classes of one date."""
    with rasterio.open(path) as file:
        names, values = file.descriptions, file.read()
    bands = np.zeros((len(BANDS), *values.shape[1:]), np.uint16)
    for name, layer in zip(names, values, strict=True):
        if name in BANDS:
            bands[BANDS.index(name)] = layer
    cloud = np.zeros(values.shape[1:], np.uint8)
    classes = path.with_name(path.name.replace("S2_L2A_", "SCL_"))
    with rasterio.open(classes) as file:
        scl = file.read(1)
    for value, members in ((1, THICK_SCL), (2, THIN_SCL), (3, SHADOW_SCL)):
        cloud[np.isin(scl, members)] = value
    grow = [(0, max(size - n, 0)) for n in cloud.shape]
    bands = np.pad(bands, [(0, 0), *grow], mode="symmetric")[:, :size, :size]
    return bands, np.pad(cloud, grow, mode="symmetric")[:size, :size]
