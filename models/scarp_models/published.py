"""The data set of the BBUnet paper, as its public notebooks leave it on disk.

Each event has a folder::

    <event>/pre/<date>_cc<cloud cover>.tif    the twelve bands, in any order, named in the band descriptions, and
    <event>/post/…                            'cloud_mask' (0 clear, 1 thick, 2 thin, 3 shadow); uint16, 0 no data
    <event>/dem.tif, slope.tif, aspect.tif    on the same 10 m grid: metres, degrees, degrees from north
    <event>/polygons.tif                      255 where a landslide is mapped
    <event>/patch_couples_size256_stride128.csv

The list holds one line for each window and each pair of dates: h_start, h_end, w_start, w_end, fn_pre, fn_post, fn_dem,
fn_slope, fn_aspect, fn_poly, landslide_pixels (that no cloud hides), cloud_cover (share of the window). Events
may lie below folders of their own (``nasa/haiti``). Where polygons.tif is absent, an inventory
(``<event>/*.gpkg`` or ``<root>/inventories/<event>_landslides.gpkg``) is drawn onto the grid; where the list is, it is made.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

from .bbunet import BANDS
from .data import RED, THICK, THIN, Batch
from .inventory import rasterise

SIZE, STRIDE = 256, 128
MAPPED = 255
_SCL = {8: THICK, 9: THICK, 10: THIN, 3: 3}


@dataclass(frozen=True)
class Couple:
    """One window of one pair of dates."""

    event: Path
    pre: Path
    post: Path
    window: tuple[int, int, int, int]  # first and last row (exclusive), first and last column
    landslide_pixels: int
    cloud_cover: float

    def swapped(self) -> Couple:
        """Post as pre: nothing new slid."""
        return replace(self, pre=self.post, post=self.pre, landslide_pixels=0)


class Couples:
    """Couples read as they are asked for; used like a :class:`data.PatchSet`. A couple without landslide pixels has an
    empty mask, whatever is mapped there: that is how artificial negatives are told."""

    def __init__(self, folder: Path, couples: Sequence[Couple]) -> None:
        self.folder, self.couples = folder, list(couples)

    def __len__(self) -> int:
        return len(self.couples)

    def positives(self) -> np.ndarray:
        """Landslide pixels of each couple that no cloud hides, as listed."""
        return np.array([c.landslide_pixels for c in self.couples])

    def batch(self, indices: np.ndarray) -> Batch:
        """Reads some couples."""
        return Batch.join([read(self.couples[int(i)]) for i in indices])

    def batches(self, size: int) -> Iterator[Batch]:
        """All couples in order."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


def read(couple: Couple) -> Batch:
    """Reads one couple. A pixel counts where both dates have data and no thick or thin cloud, and the mask is 0 or 255."""
    (pre, pre_cloud), (post, post_cloud) = (_image(p, couple.window) for p in (couple.pre, couple.post))
    terrain = np.stack([_layer(couple.event / f"{n}.tif", couple.window) for n in ("dem", "slope", "aspect")])
    mapped = _mapped(couple.event, couple.pre, couple.window)
    if couple.landslide_pixels == 0:
        mapped = np.zeros_like(mapped)
    clouded = np.isin(pre_cloud, (THICK, THIN)) | np.isin(post_cloud, (THICK, THIN))
    valid = ~clouded & (pre[RED] > 0) & (post[RED] > 0) & np.isin(mapped, (0, MAPPED))
    to = torch.from_numpy
    mask = (mapped == MAPPED).astype(np.float32)
    return Batch(to(pre)[None], to(post)[None], to(terrain)[None], to(mask)[None, None], to(valid)[None, None])


def find_event(root: Path, name: str) -> Path:
    """The folder of an event, wherever it lies below ``root``."""
    found = sorted(p.parent for p in root.rglob("pre") if p.is_dir() and p.parent.name == name)
    if not found:
        raise ValueError(f"open {root}: no event {name!r}; expected …/{name}/pre and …/{name}/post below it")
    return found[0]


def couples(root: Path, name: str) -> list[Couple]:
    """The listed couples of an event, or, without a list, those that the paper's rule gives."""
    event = find_event(root, name)
    lists = sorted(event.glob("patch_couples_size*_stride*.csv"))
    if not lists:
        return make_couples(event)
    out = []
    with open(lists[0], newline="") as file:
        rows = csv.DictReader(file)
        needed = {"h_start", "h_end", "w_start", "w_end", "fn_pre", "fn_post", "landslide_pixels", "cloud_cover"}
        if missing := needed - set(rows.fieldnames or ()):
            raise ValueError(f"read {lists[0]}: it lacks the columns {', '.join(sorted(missing))}")
        for row in rows:
            window = tuple(int(row[k]) for k in ("h_start", "h_end", "w_start", "w_end"))
            pre, post = (_resolve(root, event, date, row[f"fn_{date}"]) for date in ("pre", "post"))
            pixels, cloud = int(float(row["landslide_pixels"])), float(row["cloud_cover"])
            out.append(Couple(event, pre, post, window, pixels, cloud))
    return out


def _resolve(root: Path, event: Path, date: str, listed: str) -> Path:
    """Paths are listed from where the notebook ran; files may have been moved since with their event."""
    for candidate in (event / date / Path(listed).name, root / listed):
        if candidate.exists():
            return candidate
    raise ValueError(f"read couples of {event}: {listed} lies neither in {event / date} nor under {root}")


def make_couples(event: Path) -> list[Couple]:
    """All windows with a landslide × all pairs of dates without gaps there, but for those whose landslides are hidden."""
    dates = {d: sorted((event / d).glob("*.tif")) for d in ("pre", "post")}
    if not all(dates.values()):
        raise ValueError(f"open {event}: no .tif in pre/ or in post/")
    polygons = _mapped(event, dates["pre"][0])
    out = []
    for window in windows(*polygons.shape):
        top, bottom, left, right = window
        mapped = polygons[top:bottom, left:right] == MAPPED
        if not mapped.any():
            continue
        seen = {d: [(p, *_image(p, window)) for p in dates[d]] for d in dates}
        whole = {d: [(p, np.isin(c, (THICK, THIN))) for p, image, c in seen[d] if (image[RED] > 0).all()] for d in seen}
        for pre, hidden_before in whole["pre"]:
            for post, hidden_after in whole["post"]:
                hidden = hidden_before | hidden_after
                if pixels := int((mapped & ~hidden).sum()):
                    out.append(Couple(event, pre, post, window, pixels, float(hidden.mean())))
    return out


def windows(height: int, width: int, size: int = SIZE, stride: int = STRIDE) -> list[tuple[int, int, int, int]]:
    """Windows of a grid; the last of a row or column ends at the edge and overlaps its neighbour more."""

    def starts(length: int) -> list[int]:
        if length < size:
            raise ValueError(f"an image of {height} × {width} pixels has no window of {size}")
        return sorted({*range(0, length - size + 1, stride), length - size})

    return [(y, y + size, x, x + size) for y in starts(height) for x in starts(width)]


@functools.lru_cache(maxsize=64)
def _open(path: Path) -> rasterio.DatasetReader:
    return rasterio.open(path)


def _mapped(event: Path, grid: Path, window: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """H,W uint8, 255 where a landslide is mapped: of a window, or of the whole grid of the image ``grid``."""
    if (event / "polygons.tif").exists():
        return _open(event / "polygons.tif").read(1, window=window and _window(window))
    drawn = _drawn(event, grid)
    if window is None:
        return drawn
    top, bottom, left, right = window
    return drawn[top:bottom, left:right]


@functools.lru_cache(maxsize=4)
def _drawn(event: Path, grid: Path) -> np.ndarray:
    """The inventory of an event on its grid: one byte a pixel, for four events at most."""
    near = [*sorted(event.glob("*.gpkg"))]
    near += [folder / "inventories" / f"{event.name}_landslides.gpkg" for folder in event.parents]
    for path in near:
        if path.exists():
            like = _open(grid)
            return rasterise(path, like.shape, like.transform, like.crs) * np.uint8(MAPPED)
    raise ValueError(f"open {event}: neither polygons.tif nor an inventory (*.gpkg here, or inventories/{event.name}_landslides.gpkg)")


def _window(window: tuple[int, int, int, int]) -> Window:
    top, bottom, left, right = window
    return Window(left, top, right - left, bottom - top)


def _image(path: Path, window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """12,S,S float32 in the order of BANDS, and S,S cloud classes."""
    file = _open(path)
    at = {name: i for i, name in enumerate(file.descriptions, start=1) if name}
    if missing := [b for b in BANDS if b not in at]:
        raise ValueError(f"read {path}: no band is described as {', '.join(missing)}")
    bands = file.read([at[b] for b in BANDS], window=_window(window)).astype(np.float32)
    if "cloud_mask" in at:
        return bands, file.read(at["cloud_mask"], window=_window(window))
    if "SCL" not in at:
        raise ValueError(f"read {path}: no band is described as cloud_mask (or SCL, from which it can be had)")
    scl = file.read(at["SCL"], window=_window(window))
    cloud = np.zeros_like(scl)
    for value, meaning in _SCL.items():
        cloud[scl == value] = meaning
    return bands, cloud


def _layer(path: Path, window: tuple[int, int, int, int]) -> np.ndarray:
    """S,S float32 of a terrain layer, 0 where it has no data."""
    file = _open(path)
    values = file.read(1, window=_window(window)).astype(np.float32)
    if file.nodata is not None:
        values[values == file.nodata] = 0
    return np.nan_to_num(values)
