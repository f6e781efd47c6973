"""Data of the cloud network: simulated clouds, painted clouds, and real scene classifications to judge by.

The network reads red, green and near infrared of any processing level at 10 to 50 m and tells clear, thick cloud,
thin cloud and shadow. Nothing labelled is at hand, so it learns from patch sets (``scarp simulate --patches``),
whose cloud.npy is known, and from clouds painted over them, for no simulated patch is more than half covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from .bbunet import BANDS as S2_BANDS
from .data import PatchSet
from .networks.clouds import BANDS, CLASSES

IGNORED = 255
"""Class of a pixel that counts for nothing: no data, or a classification that says none of the four."""

_CHANNELS = [S2_BANDS.index(b) for b in BANDS]
_PATH = np.array([230.0, 400.0, 90.0], np.float32)  # clear-sky path reflectance × 10000, for L1C
_THROUGH = np.array([0.81, 0.76, 0.87], np.float32)  # and transmission
_SCL = {4: 0, 5: 0, 6: 0, 11: 0, 8: 1, 9: 1, 10: 2, 3: 3}
"""Scene classification → class. Snow (11) and water (6) are clear; 7 (unclassified), 2 (dark) and no data don't count."""


@dataclass(frozen=True)
class Weather:
    """How training images are varied: chances, and how strong."""

    clouded: float = 0.6  # of a patch with at least 2 % of cloud or shadow, where there is one
    painted: float = 0.45  # of clouds painted over it
    overcast: float = 0.15  # of those: all of it
    coarse: tuple[float, float, float] = (0.6, 0.25, 0.15)  # of 10, 20 and 40 m: mosaics of 1, 4 and 16 patches
    top: float = 0.4  # of top-of-atmosphere instead of surface reflectance
    gain: float = 0.15  # deviation of the logarithm of one gain
    band: float = 0.06  # and of each band's
    offset: float = 150.0  # largest offset × 10000
    noise: float = 20.0


class Scenes:
    """Dates of patch sets: every patch gives two images, before and after."""

    def __init__(self, sets: Sequence[PatchSet]) -> None:
        self.sets = list(sets)
        clouded, others = [], []
        for number, patches in enumerate(self.sets):
            cover = (patches.cloud[:, :, ::4, ::4] > 0).mean((2, 3))
            for date in (0, 1):
                clouded += [(number, i, date) for i in np.flatnonzero(cover[:, date] >= 0.02)]
                others += [(number, i, date) for i in np.flatnonzero(cover[:, date] < 0.02)]
        if not clouded and not others:
            raise ValueError("train clouds: the patch sets are empty")
        self.pools = {"clouded": clouded, "others": others}

    def __len__(self) -> int:
        return sum(map(len, self.pools.values()))

    def read(self, at: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        """One image: 3,S,S reflectance × 10000 and S,S classes."""
        number, row, date = at
        patches = self.sets[number]
        image = np.asarray((patches.pre, patches.post)[date][row, _CHANNELS], np.float32)
        classes = np.array(patches.cloud[row, date])
        classes[(image == 0).any(0)] = IGNORED
        return image, classes

    def images(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All images as they are, as :meth:`read` gives them."""
        for pool in self.pools.values():
            for at in pool:
                yield self.read(at)

    def draw(self, how: Weather, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One training image, S,S like the patches: red, green and NIR × 10000 (float32) and classes (uint8)."""
        image, classes = self._mosaic(rng.choice([1, 2, 4], p=how.coarse), how, rng)
        if rng.random() < how.painted:
            image, classes = paint(image, classes, 1.0 if rng.random() < how.overcast else rng.uniform(0.03, 0.8), rng)
        turns = int(rng.integers(4))
        image, classes = np.rot90(image, turns, (1, 2)), np.rot90(classes, turns)
        if rng.random() < 0.5:
            image, classes = image[:, :, ::-1], classes[:, ::-1]
        return radiometry(image, how, rng), np.ascontiguousarray(classes)

    def _mosaic(self, factor: int, how: Weather, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """factor × factor patches side by side, each averaged down to that part of its size: 10 m become 10 × factor."""
        rows = []
        for _ in range(factor):
            parts = [self._one(factor, how, rng) for _ in range(factor)]
            rows.append((np.concatenate([p[0] for p in parts], 2), np.concatenate([p[1] for p in parts], 1)))
        return np.concatenate([r[0] for r in rows], 1), np.concatenate([r[1] for r in rows], 0)

    def _one(self, factor: int, how: Weather, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        pool = self.pools["clouded" if rng.random() < how.clouded else "others"] or self.pools["others"] or self.pools["clouded"]
        image, classes = self.read(pool[int(rng.integers(len(pool)))])
        return coarser(image, classes, factor)


def coarser(image: np.ndarray, classes: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Averages factor × factor pixels; the class is the one that most of them have."""
    if factor == 1:
        return image, classes
    size = classes.shape[0] // factor
    image = image[:, : size * factor, : size * factor].reshape(3, size, factor, size, factor).mean((2, 4))
    cells = classes[: size * factor, : size * factor].reshape(size, factor, size, factor)
    votes = np.stack([(cells == c).sum((1, 3)) for c in range(len(CLASSES))])
    out = votes.argmax(0).astype(np.uint8)
    out[(cells == IGNORED).any((1, 3))] = IGNORED
    return image, out


def paint(image: np.ndarray, classes: np.ndarray, cover: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Puts clouds of another making than the simulator's over an image: fractal noise of any roughness, from veils to
    towers, nearly white, brighter or greyer, with their shadow. Clear ground below becomes cloud or shadow where enough of it is hidden."""
    size = classes.shape[-1]
    field = fractal(2 * size, rng.uniform(1.2, 2.6), rng)
    height, angle = rng.uniform(0.05, 0.5) * size, rng.uniform(0, 2 * np.pi)
    dy, dx = int(height * np.sin(angle)), int(height * np.cos(angle))
    middle = size // 2
    above = field[middle : middle + size, middle : middle + size]
    aside = field[middle + dy : middle + dy + size, middle + dx : middle + dx + size]
    level = np.quantile(above, 1 - cover) if cover < 1 else above.min() - 1.0
    soft, most = rng.uniform(0.1, 1.5), (1.0 if rng.random() < 0.7 else rng.uniform(0.15, 0.5))
    thickness = most * np.clip((above - level) / soft, 0, 1)
    dark = rng.uniform(0.35, 0.8) * np.clip((aside - level) / soft, 0, 1)
    # A cloud's own shade and texture; near infrared is a little darker than red, water clouds more than ice.
    white = rng.uniform(3500, 11000) * np.array([1.0, rng.uniform(0.96, 1.04), rng.uniform(0.88, 1.05)], np.float32)
    texture = 1 + rng.uniform(0, 0.15) * fractal(size, rng.uniform(1.0, 2.0), rng)
    empty = (image == 0).any(0)
    out = image * (1 - dark * (1 - thickness))
    out = out * (1 - thickness) + white[:, None, None] * texture.clip(0.5, 1.5) * thickness
    new = classes.copy()
    new[(dark > 0.3) & (classes == 0)] = 3
    new[(thickness > 0.09) & (classes != 1)] = 2
    new[thickness > 0.45] = 1
    new[empty] = IGNORED
    return np.where(empty, 0, out).astype(np.float32), new


def fractal(size: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise size × size with a spectrum that falls as frequency^−slope, of mean 0 and deviation 1."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1
    shape = (rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)) * frequency**-slope
    shape[0, 0] = 0
    out = np.fft.irfft2(shape, (size, size))
    return (out / max(out.std(), 1e-9)).astype(np.float32)


def radiometry(image: np.ndarray, how: Weather, rng: np.random.Generator) -> np.ndarray:
    """Another processing level, another calibration: the atmosphere back on, gains, an offset, noise."""
    empty = (image == 0).any(0)
    out = np.array(image, np.float32)
    if rng.random() < how.top:
        # Less over bright pixels, which are clouds above most of the air.
        air = np.clip(1 - out / 8000, 0, 1) * rng.uniform(0.5, 1.5)
        out = out * (1 - air * (1 - _THROUGH[:, None, None])) + air * _PATH[:, None, None]
    gain = np.exp(rng.normal(0, how.gain) + rng.normal(0, how.band, 3))
    out = out * gain[:, None, None] + rng.uniform(-how.offset, how.offset) + rng.normal(0, how.noise, out.shape)
    return np.where(empty, 0, out.clip(1)).astype(np.float32)


def normalise(image: np.ndarray) -> np.ndarray:
    """clip(reflectance × 10000 / 10000, 0, 1): what the manifest of the network states."""
    return np.clip(image / 10000, 0, 1).astype(np.float32)


def real_series(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Real dates with their scene classification, from pairs of netCDF files ``S2_L2A_10m_<place>_*.nc`` (B03, B04, B08)
    and ``S2_L2A_20m_<place>_*.nc`` (SCL) of the same dates. Gives 3,H,W reflectance × 10000 and H,W classes each.
    The classification is Sen2Cor's, not the truth: it misses thin cloud and takes bright roofs for cloud."""
    out = []
    for fine in sorted(folder.rglob("S2_L2A_10m_*.nc")):
        coarse = fine.with_name(fine.name.replace("_10m_", "_20m_"))
        if not coarse.exists():
            continue
        with h5py.File(fine) as a, h5py.File(coarse) as b:
            if not np.array_equal(a["timestamp"][:], b["timestamp"][:]):
                raise ValueError(f"{fine} and {coarse} hold different dates")
            image = np.stack([a[name][:] for name in BANDS], 1).astype(np.float32)
            scl = b["SCL"][:].repeat(2, 1).repeat(2, 2)
        for one, labels in zip(image, scl, strict=True):
            classes = np.full(labels.shape, IGNORED, np.uint8)
            for value, meaning in _SCL.items():
                classes[labels == value] = meaning
            classes[(one == 0).any(0)] = IGNORED
            out.append((one, classes))
    if not out:
        raise ValueError(f"no pairs of S2_L2A_10m_*.nc and S2_L2A_20m_*.nc under {folder}")
    return out
