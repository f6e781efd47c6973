"""Patches on disk, and how their raw values become what BBUnet sees.

A patch set is a folder of NumPy files, as ``scarp simulate --patches`` writes it:

===============  ========  =============  ==========================================================
file             type      shape          content
===============  ========  =============  ==========================================================
``pre.npy``      uint16    N,12,S,S       reflectance × 10000 before the event, 0 where no data
``post.npy``     uint16    N,12,S,S       the same after the event
``terrain.npy``  float32   N,3,S,S        elevation in m, slope in degrees, aspect in degrees from north
``mask.npy``     uint8     N,S,S          1 where a landslide is new
``cloud.npy``    uint8     N,2,S,S        pre and post: 0 clear, 1 thick cloud, 2 thin cloud, 3 shadow
===============  ========  =============  ==========================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

RED = 3  # B04: the band whose zero means no data
THICK, THIN = 1, 2


@dataclass
class Batch:
    """Raw patches of one batch.

    ``pre`` and ``post`` N,12,S,S and ``terrain`` N,3,S,S are float32 in the units of the files,
    ``mask`` N,1,S,S is float32, ``valid`` N,1,S,S boolean: false where the paper's rule leaves a
    pixel out of loss and score (no data or cloud on either date).
    """

    pre: Tensor
    post: Tensor
    terrain: Tensor
    mask: Tensor
    valid: Tensor

    def __len__(self) -> int:
        return self.pre.shape[0]

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """The network's three inputs."""
        return normalise_bands(self.pre), normalise_bands(self.post), normalise_terrain(self.terrain)

    @staticmethod
    def join(parts: Sequence[Batch]) -> Batch:
        """Puts batches together."""
        return Batch(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Batch)))


def normalise_bands(dn: Tensor) -> Tensor:
    """clip(DN / 10000, 0, 1)."""
    return (dn / 10000).clamp(0, 1)


def normalise_terrain(terrain: Tensor) -> Tensor:
    """N,3,S,S in metres and degrees → N,4,S,S: elevation / 3000, slope / 90, and sine and cosine of
    half the aspect, brought to 0..1.

    Half the aspect is what the published weights were trained with, so it stays.
    """
    elevation, slope, aspect = terrain.unbind(1)
    half = aspect * (math.pi / 360)
    return torch.stack(
        [elevation / 3000, slope / 90, (torch.sin(half) + 1) / 2, (torch.cos(half) + 1) / 2], dim=1
    )


class PatchSet:
    """One folder of patches, memory-mapped: opening costs nothing, reading what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

        def load(name: str, channels: int | None) -> np.ndarray:
            array = np.load(folder / f"{name}.npy", mmap_mode="r")
            if array.ndim != (3 if channels is None else 4) or (channels and array.shape[1] != channels):
                raise ValueError(f"open patches {folder}: {name}.npy has shape {array.shape}")
            return array

        self.pre, self.post = load("pre", 12), load("post", 12)
        self.terrain, self.mask, self.cloud = load("terrain", 3), load("mask", None), load("cloud", 2)
        counts = {a.shape[0] for a in (self.pre, self.post, self.terrain, self.mask, self.cloud)}
        if len(counts) != 1:
            raise ValueError(f"open patches {folder}: the files hold different numbers of patches {counts}")

    def __len__(self) -> int:
        return self.pre.shape[0]

    def batch(self, indices: np.ndarray) -> Batch:
        """Reads some patches."""
        indices = np.sort(indices)

        def read(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array[indices].astype(np.float32))

        pre, post = read(self.pre), read(self.post)
        cloud = torch.from_numpy(np.array(self.cloud[indices]))
        clouded = ((cloud == THICK) | (cloud == THIN)).any(dim=1, keepdim=True)
        empty = (pre[:, RED : RED + 1] == 0) | (post[:, RED : RED + 1] == 0)
        mask = (read(self.mask) > 0).float().unsqueeze(1)
        return Batch(pre, post, read(self.terrain), mask, ~clouded & ~empty)

    def positives(self) -> np.ndarray:
        """Landslide pixels of each patch."""
        return np.array([np.count_nonzero(self.mask[i]) for i in range(len(self))])

    def batches(self, size: int) -> Iterator[Batch]:
        """All patches in order."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


class Sampler:
    """Draws training batches from several patch sets.

    Half of a batch comes from patches with at least ``many`` landslide pixels, half from the others
    (among them empty ones), as in the published recipe. ``shares`` says how much of what is drawn comes from
    each set; without it every patch is as likely as any other.
    """

    def __init__(
        self,
        sets: Sequence[PatchSet],
        seed: int,
        many: int = 50,
        share_many: float = 0.5,
        shares: Sequence[float] | None = None,
    ) -> None:
        self.sets = list(sets)
        self.rng = np.random.default_rng(seed)
        self.share_many = share_many
        if shares is not None and len(shares) != len(self.sets):
            raise ValueError(f"{len(shares)} shares for {len(self.sets)} patch sets: give one for each")
        self.pools = []  # rich and poor, each with the chance of every patch
        counts = [patches.positives() for patches in self.sets]
        for rich in (True, False):
            picks, chances = [], []
            for number, count in enumerate(counts):
                inside = np.flatnonzero((count >= many) == rich)
                picks += [(number, i) for i in inside]
                chance = 1.0 if shares is None else shares[number] / max(len(inside), 1)
                chances += [chance] * len(inside)
            self.pools.append((np.array(picks, np.int64).reshape(-1, 2), np.cumsum(chances)))

    def __len__(self) -> int:
        return sum(len(picks) for picks, _ in self.pools)

    def draw(self, size: int) -> Batch:
        """Gives ``size`` patches, in no particular order."""
        (rich, _), (poor, _) = self.pools
        first = round(size * self.share_many)
        if len(rich) == 0 or len(poor) == 0:
            first = size if len(poor) == 0 else 0
        chosen = []
        for (pool, chances), number in zip(self.pools, (first, size - first), strict=True):
            if number:
                at = np.searchsorted(chances, self.rng.random(number) * chances[-1], side="right")
                chosen.append(pool[at])
        picks = np.concatenate(chosen)
        parts = []
        for number in np.unique(picks[:, 0]):
            parts.append(self.sets[number].batch(picks[picks[:, 0] == number, 1]))
        return Batch.join(parts)
