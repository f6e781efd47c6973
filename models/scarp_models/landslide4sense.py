"""Landslide4Sense patches, in every form in which they can be had, as one kind of sample.

A sample is in *stored units*: the benchmark's own numbers, which are Sentinel-2 L1C reflectance × 10000,
slope in whole degrees and elevation in metres, each divided by one constant per channel (:data:`DIVISORS`).
Channels that a source lacks are 0, which is also what a manifest fills an absent channel with; nothing that was
measured is ever exactly 0 there, but for flat slopes and the sea.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
import torch
from torch import Tensor

CHANNELS = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12"),
    *("slope", "elevation"),
)
"""The fourteen channels, in order. There is no B8A; B10 is the cirrus band, which only L1C has."""

OPTICAL = 12
"""The first so many channels are bands."""

DIVISORS = np.array(
    [
        *(1111.81236406, 824.63171476, 663.41636217, 445.17289745, 645.85829260, 1547.73508126, 1960.44401001),
        *(1941.32229668, 674.07572865, 9.04787384, 1113.98338755, 519.90397929, 20.29228266, 772.83144788),
    ]
)
"""Stored value = integer / divisor. With these, 42 of 42 patches that were looked at come back as exact integers."""

RGB = (3, 2, 1)
"""Channels of the 8-bit copies: red, green, blue."""

PEAK, PEAK_SPREAD = 3.80, 0.23
"""The 8-bit copies hold floor(255 x / max(x)), and max(x) is lost. Over 36 patches that exist with all
bands, max(x) in stored units has this median, and its logarithm this deviation."""

VALIDATION_BLOCKS, ACCEPTANCE_BLOCKS = 3, 7
"""Neighbouring numbers are neighbouring tiles, so TrainData is divided by blocks of a hundred numbers:
block mod 10 = 3 validates, 7 is kept for acceptance, and training takes neither."""


@dataclass
class Sample:
    """``image`` N,14,S,S float32 in stored units; ``present`` N,14 boolean; ``mask`` N,1,S,S float32;
    ``valid`` N,1,S,S boolean, false where a pixel counts for neither loss nor score."""

    image: Tensor
    present: Tensor
    mask: Tensor
    valid: Tensor

    def __len__(self) -> int:
        return self.image.shape[0]

    def inputs(self) -> tuple[Tensor]:
        """A single-date network's one input."""
        return (self.image,)

    @staticmethod
    def join(parts: Sequence[Sample]) -> Sample:
        """Puts samples together."""
        return Sample(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Sample)))


class Source(Protocol):
    """Patches that can be drawn from."""

    name: str

    def __len__(self) -> int: ...

    def batch(self, rows: np.ndarray, rng: np.random.Generator | None = None) -> Sample:
        """Reads some patches. ``rng`` draws what was lost of them; without it, it has its usual value."""
        ...


class Patches:
    """Patches of the benchmark in memory: ``images`` either uint8 N,S,S,3 (the 8-bit copies) or uint16
    N,S,S,14 (integers before the division); ``masks`` uint8 N,S,S; ``index`` the numbers in TrainData."""

    def __init__(self, name: str, images: np.ndarray, masks: np.ndarray, index: np.ndarray) -> None:
        eight_bit = images.dtype == np.uint8 and images.shape[-1] == 3
        if not eight_bit and not (images.dtype == np.uint16 and images.shape[-1] == len(CHANNELS)):
            raise ValueError(
                f"{name}: images are {images.dtype} {images.shape}; give uint8 N,S,S,3 or uint16 N,S,S,14"
            )
        if masks.shape != images.shape[:3] or index.shape != images.shape[:1]:
            raise ValueError(f"{name}: images {images.shape}, masks {masks.shape} and index {index.shape} don't match")
        self.name, self.images, self.masks, self.index, self.eight_bit = name, images, masks, index, eight_bit

    def __len__(self) -> int:
        return len(self.images)

    def blocks(self) -> np.ndarray:
        """Block of a hundred numbers that each patch lies in."""
        return self.index // 100

    def where(self, keep: np.ndarray) -> Patches:
        """The patches that ``keep`` (boolean, or row numbers) chooses."""
        return Patches(self.name, self.images[keep], self.masks[keep], self.index[keep])

    def batch(self, rows: np.ndarray, rng: np.random.Generator | None = None) -> Sample:
        """See :class:`Source`."""
        values = self.images[rows].astype(np.float32)
        image = np.zeros((len(rows), len(CHANNELS), *values.shape[1:3]), np.float32)
        present = torch.zeros(len(rows), len(CHANNELS), dtype=torch.bool)
        if self.eight_bit:
            peak = np.full(len(rows), PEAK)
            if rng is not None:
                peak *= np.exp(rng.normal(0, PEAK_SPREAD, len(rows)))
            image[:, RGB] = np.moveaxis((values + 0.5) * (peak / 255).astype(np.float32)[:, None, None, None], -1, 1)
            present[:, RGB] = True
        else:
            image[:] = np.moveaxis(values / DIVISORS.astype(np.float32), -1, 1)
            present[:] = True
        mask = torch.from_numpy((self.masks[rows] > 0).astype(np.float32))[:, None]
        return Sample(torch.from_numpy(image), present, mask, torch.ones_like(mask, dtype=torch.bool))


def batches(source: Source, size: int = 32) -> Iterator[Sample]:
    """All patches of a source in order, without anything random."""
    for start in range(0, len(source), size):
        yield source.batch(np.arange(start, min(start + size, len(source))))


def open_npz(path: Path) -> Patches:
    """Opens an .npz file of ``images``, ``masks`` and ``index``, 8-bit or with all bands."""
    with np.load(path, allow_pickle=False) as file:
        if missing := {"images", "masks", "index"} - set(file.files):
            raise ValueError(f"open {path}: it lacks {', '.join(sorted(missing))}")
        if "divisor" in file.files and not np.allclose(file["divisor"], DIVISORS):
            raise ValueError(f"open {path}: its divisors are not those of the benchmark")
        return Patches(path.name, file["images"], file["masks"], file["index"])


def open_h5(folder: Path, split: str = "TrainData") -> Patches:
    """Opens the benchmark as it is distributed: ``<folder>/<split>/img/image_N.h5`` (dataset ``img``,
    S,S,14) and ``…/mask/mask_N.h5`` (dataset ``mask``, S,S). ``folder`` may also be the split's own
    folder, or hold both kinds of file directly."""
    root = folder / split if (folder / split).is_dir() else folder
    images = root / "img" if (root / "img").is_dir() else root
    masks = root / "mask" if (root / "mask").is_dir() else root
    found = {_number(p): p for p in images.glob("image_*.h5")}
    if not found:
        raise ValueError(f"open {folder}: no image_N.h5 in {images}")
    numbers = np.array(sorted(found), np.int32)
    values, truth = [], []
    for number in numbers:
        beside = masks / f"mask_{number}.h5"
        if not beside.exists():
            raise ValueError(f"open {folder}: {found[number].name} has no {beside}")
        values.append(read_h5_image(found[number]))
        with h5py.File(beside) as file:
            truth.append(file["mask"][:].astype(np.uint8))
    return Patches(f"{folder.name}/{split}", np.stack(values), np.stack(truth), numbers)


def read_h5_image(path: Path) -> np.ndarray:
    """Reads one ``image_N.h5`` as the integers (uint16 S,S,14) that its values are made of."""
    with h5py.File(path) as file:
        if "img" not in file:
            raise ValueError(f"open {path}: no dataset 'img'")
        stored = np.nan_to_num(file["img"][:], nan=0.0)
    if stored.ndim != 3 or stored.shape[-1] != len(CHANNELS):
        raise ValueError(f"open {path}: img has shape {stored.shape}, expected S,S,14")
    whole = np.rint(stored * DIVISORS)
    if np.abs(whole - stored * DIVISORS).max() > 0.01:
        raise ValueError(f"open {path}: its values are not integers over the benchmark's divisors; is it normalised?")
    return whole.clip(0, 65535).astype(np.uint16)


def _number(path: Path) -> int:
    match = re.fullmatch(r"image_(\d+)\.h5", path.name)
    if not match:
        raise ValueError(f"open {path}: expected image_N.h5")
    return int(match[1])


def without_blocks(patches: Patches, blocks: Sequence[int], margin: int = 2) -> Patches:
    """Leaves out whole blocks, and patches whose numbers lie within ``margin`` of one of them."""
    near = np.zeros(len(patches), bool)
    for block in blocks:
        near |= (patches.index >= block * 100 - margin) & (patches.index < (block + 1) * 100 + margin)
    return patches.where(~near)


def in_blocks(patches: Patches, blocks: Sequence[int]) -> Patches:
    """Only what lies in some blocks."""
    return patches.where(np.isin(patches.blocks(), list(blocks)))


def reserved_blocks(patches: Patches) -> list[int]:
    """Blocks that training leaves alone."""
    numbers = np.arange(patches.index.max() // 100 + 2)
    return [int(b) for b in numbers if b % 10 in (VALIDATION_BLOCKS, ACCEPTANCE_BLOCKS)]
