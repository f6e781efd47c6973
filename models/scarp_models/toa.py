"""Patches of surface reflectance as a single-date network of Landslide4Sense sees them: L1C-like.

What this is: top-of-atmosphere reflectance from a straight line per band, ``path + transmission × surface``,
with one clear-sky figure per band that is varied from patch to patch, B10 made up as noise, B8A dropped, and slope and
elevation taken over. What it is not: a radiative transfer. Adjacency, aerosol type, sun and view angles,
relief and the water vapour of the day are left out. On the two L1C/L2A image pairs of one alpine lake that the
figures were checked with, band means come out within 15 % (B9, which water vapour rules: within 25 %).
"""

from __future__ import annotations

import numpy as np
import torch

from .bbunet import BANDS
from .data import RED, THICK, THIN, PatchSet
from .landslide4sense import CHANNELS, DIVISORS, OPTICAL, Sample

# (path reflectance × 10000, transmission there and back) in clear sky, for the order of CHANNELS.
_SKY = {
    "B01": (950, 0.72),
    "B02": (680, 0.74),
    "B03": (400, 0.76),
    "B04": (230, 0.81),
    "B05": (180, 0.81),
    "B06": (130, 0.86),
    "B07": (110, 0.88),
    "B08": (90, 0.87),
    "B09": (60, 0.30),
    "B11": (20, 0.88),
    "B12": (10, 0.81),
}
_CIRRUS = (14.0, 6.0)  # B10 in DN where there is no cirrus: usual value and deviation between patches


class SurfacePatches:
    """The post-event images of a patch folder (simulated, or real pairs without landslides) as L1C-like samples.

    The mask is that of *new* landslides: a scar that was there before counts as background here, which one
    image can't tell. So a network should see these patches as a spice, not as its food.
    """

    def __init__(self, patches: PatchSet) -> None:
        self.patches, self.name = patches, patches.folder.name

    def __len__(self) -> int:
        return len(self.patches)

    def batch(self, rows: np.ndarray, rng: np.random.Generator | None = None) -> Sample:
        """Reads some patches; without ``rng``, through the usual clear sky."""
        rows = np.sort(rows)
        raw = self.patches.batch(rows)
        cloud = torch.from_numpy(np.array(self.patches.cloud[rows, 1:2]))
        valid = (cloud != THICK) & (cloud != THIN) & (raw.post[:, RED : RED + 1] > 0)
        image, present = top_of_atmosphere(raw.post.numpy(), rng)
        slope = np.rint(raw.terrain[:, 1].numpy()) / DIVISORS[OPTICAL]
        elevation = np.rint(raw.terrain[:, 0].numpy()) / DIVISORS[OPTICAL + 1]
        stacked = np.concatenate([image, np.stack([slope, elevation], 1)], axis=1).astype(np.float32)
        flags = np.concatenate([present, np.ones((len(rows), 2), bool)], axis=1)
        return Sample(torch.from_numpy(stacked), torch.from_numpy(flags), raw.mask, valid)


def top_of_atmosphere(surface: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Turns N,12,S,S of surface reflectance × 10000 (order of :data:`BANDS`) into the twelve optical channels in
    stored units, and says which of them (N,12) are there: a band that is 0 all over is not."""
    count, size = surface.shape[0], surface.shape[2:]
    haze = np.ones(count) if rng is None else rng.uniform(0.6, 1.4, count)
    vapour = np.ones(count) if rng is None else np.exp(rng.normal(0, 0.35, count))
    out = np.zeros((count, OPTICAL, *size), np.float32)
    present = np.zeros((count, OPTICAL), bool)
    for channel, name in enumerate(CHANNELS[:OPTICAL]):
        if name == "B10":
            level = np.full(count, _CIRRUS[0]) if rng is None else rng.normal(*_CIRRUS, count).clip(2)
            out[:, channel] = level[:, None, None] / DIVISORS[channel]
            continue
        dn = surface[:, BANDS.index(name)]
        path, transmission = _SKY[name]
        through = transmission * (vapour if name == "B09" else 1.0) * np.ones(count)
        seen = (path * haze)[:, None, None] + through[:, None, None] * dn
        present[:, channel] = (dn > 0).any(axis=(1, 2))
        out[:, channel] = np.where(dn > 0, seen, 0) / DIVISORS[channel]
    out[:, CHANNELS.index("B10")] *= present.any(axis=1)[:, None, None]
    present[:, CHANNELS.index("B10")] = present.any(axis=1)
    return out, present
