"""Random changes to training batches, on raw values and before normalisation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .bbunet import BANDS
from .data import RED, Batch

RGB = ("B02", "B03", "B04")
USUAL_GROUPS = {
    "RGB": RGB,
    "RGB and NIR (all 10 m bands)": (*RGB, "B08"),
    "10 m and 20 m bands": tuple(b for b in BANDS if b not in ("B01", "B09")),
}
"""Bands that users are left with when the others are absent."""

ASPECT = 2
_WAVELENGTH = np.array([443, 492, 560, 665, 704, 741, 783, 833, 865, 945, 1614, 2202])
_HAZE = (_WAVELENGTH / 492.0) ** -2.5
"""Path reflectance of haze by band, relative to the blue band: between molecules (-4) and droplets (-1)."""


@dataclass(frozen=True)
class Augmentation:
    """How often each change is applied to a patch (probabilities), and how strong it is."""

    gain: float = 0.5  # of one gain per date, log-uniform in gain_range, and an offset
    gain_range: tuple[float, float] = (0.55, 1.8)
    offset_dn: float = 250.0
    haze: float = 0.3  # of haze left in the image, or too much of it taken out
    haze_dn: tuple[float, float] = (-150.0, 600.0)  # in the blue band
    band_jitter: float = 0.06  # standard deviation of a gain per band and date
    match: float = 0.15  # moment matching to another image of the batch
    shift: float = 0.3  # misregistration of the pre image by up to one pixel
    same_pair: float = 0.04  # pre–pre, and as often post–post, with an empty mask
    swapped_pair: float = 0.04  # post–pre, with an empty mask
    rgb_only: float = 0.10
    rgb_nir_only: float = 0.05
    no_60m: float = 0.05
    some_bands: float = 0.08  # one to four bands at random, never the visible ones
    no_terrain: float = 0.06
    no_data: float = 0.05  # a swath edge through one of the dates
    noise_dn: float = 15.0


class Augmenter:
    """Applies an :class:`Augmentation` to batches, reproducibly."""

    def __init__(self, settings: Augmentation, seed: int) -> None:
        self.settings = settings
        self.rng = np.random.default_rng(seed)

    def __call__(self, batch: Batch) -> Batch:
        batch = self._pairs(batch)
        batch = self._geometry(batch)
        batch = self._misregister(batch)
        batch = replace(batch, pre=self._radiometry(batch.pre), post=self._radiometry(batch.post))
        batch = self._swath_edge(batch)
        return self._drop(batch)

    def _chance(self, p: float) -> bool:
        return self.rng.random() < p

    def _pairs(self, batch: Batch) -> Batch:
        """Turns some pairs into ones without a new landslide."""
        s = self.settings
        pre, post, mask = batch.pre.clone(), batch.post.clone(), batch.mask.clone()
        for i in range(len(batch)):
            u = self.rng.random()
            if u < s.same_pair:
                post[i] = batch.pre[i]
            elif u < 2 * s.same_pair:
                pre[i] = batch.post[i]
            elif u < 2 * s.same_pair + s.swapped_pair:
                pre[i], post[i] = batch.post[i], batch.pre[i]
            else:
                continue
            mask[i] = 0
        return replace(batch, pre=pre, post=post, mask=mask)

    def _geometry(self, batch: Batch) -> Batch:
        """One of the eight flips and quarter turns for each patch."""
        out = Batch(batch.pre, batch.post, batch.terrain.clone(), batch.mask.clone(), batch.valid.clone())
        for i in range(len(batch)):
            turns, flip = int(self.rng.integers(4)), self._chance(0.5)
            for name in ("pre", "post", "terrain", "mask", "valid"):
                layer = getattr(out, name)
                layer[i] = dihedral(layer[i], turns, flip).clone()
            out.terrain[i, ASPECT] = dihedral_aspect(out.terrain[i, ASPECT], turns, flip)
        return out

    def _misregister(self, batch: Batch) -> Batch:
        pre = batch.pre
        for i in range(len(batch)):
            if self._chance(self.settings.shift):
                pre[i] = shift(pre[i], *self.rng.uniform(-1, 1, 2))
                batch.valid[i] &= pre[i, RED : RED + 1] != 0
        return batch

    def _radiometry(self, dn: Tensor) -> Tensor:
        """Gain, offset, band jitter, noise and moment matching, on each patch by itself."""
        s, n, bands = self.settings, dn.shape[0], dn.shape[1]
        empty = dn == 0
        gain = np.exp(self.rng.normal(0, s.band_jitter, (n, bands, 1, 1)))
        offset = np.zeros((n, bands, 1, 1))
        for i in range(n):
            if self._chance(s.gain):
                gain[i] *= np.exp(self.rng.uniform(*np.log(s.gain_range)))
                offset[i] = self.rng.uniform(-s.offset_dn, s.offset_dn)
            if self._chance(s.haze):
                offset[i, :, 0, 0] += self.rng.uniform(*s.haze_dn) * _HAZE
        out = dn * torch.from_numpy(gain).float() + torch.from_numpy(offset).float()
        for i in range(n):
            if self._chance(s.match):
                j = int(self.rng.integers(n))
                out[i] = match_moments(out[i], dn[j], float(self.rng.uniform(0.3, 0.7)))
        seed = int(self.rng.integers(2**62))
        noise = torch.empty_like(out).normal_(0, s.noise_dn, generator=torch.Generator().manual_seed(seed))
        # 1 and not 0 at the lower end: zero is kept for pixels without data.
        out = (out + noise).clamp_(1, 16000)
        return out.masked_fill_(empty, 0)

    def _swath_edge(self, batch: Batch) -> Batch:
        """Cuts a half-plane out of one date, as at the edge of a swath."""
        size = batch.pre.shape[-1]
        for i in range(len(batch)):
            if not self._chance(self.settings.no_data):
                continue
            angle = self.rng.uniform(0, 2 * np.pi)
            along = np.cos(angle) * np.arange(size)[None, :] + np.sin(angle) * np.arange(size)[:, None]
            gone = torch.from_numpy(along < np.quantile(along, self.rng.uniform(0.05, 0.5)))
            target = batch.pre if self._chance(0.5) else batch.post
            target[i].masked_fill_(gone, 0)
            batch.valid[i] &= ~gone
        return batch

    def _drop(self, batch: Batch) -> Batch:
        """Removes bands from both dates, or the terrain: the network sees the manifest's fill value."""
        s, groups = self.settings, list(USUAL_GROUPS.values())
        chances = (s.rgb_only, s.rgb_nir_only, s.no_60m, s.some_bands)
        for i in range(len(batch)):
            kind = int(np.searchsorted(np.cumsum(chances), self.rng.random(), side="right"))
            keep = set(BANDS)
            if kind < len(groups):
                keep = set(groups[kind])
            elif kind == len(groups):
                others = [b for b in BANDS if b not in RGB]
                keep -= set(self.rng.choice(others, int(self.rng.integers(1, 5)), replace=False))
            drop = [j for j, band in enumerate(BANDS) if band not in keep]
            batch.pre[i, drop] = 0
            batch.post[i, drop] = 0
            if self._chance(s.no_terrain):
                batch.terrain[i] = 0
        return batch


def dihedral(x: Tensor, turns: int, flip: bool) -> Tensor:
    """Mirrors left and right if ``flip``, then turns ``turns`` × 90° counter-clockwise."""
    if flip:
        x = x.flip(-1)
    return torch.rot90(x, turns, (-2, -1)) if turns else x


def dihedral_aspect(aspect: Tensor, turns: int, flip: bool) -> Tensor:
    """Brings aspect values (degrees clockwise from north) along with :func:`dihedral`."""
    if flip:
        aspect = 360 - aspect
    return (aspect - 90 * turns) % 360


def shift(x: Tensor, dy: float, dx: float) -> Tensor:
    """Moves C,H,W by less than or exactly a pixel each way, bilinearly, repeating the border.

    A pixel that would take anything from one without data (0 in all channels) gets no data itself.
    """
    padded = torch.nn.functional.pad(x[None], (1, 1, 1, 1), mode="replicate")[0]
    height, width = x.shape[-2:]
    out = torch.zeros_like(x)
    gone = torch.zeros(height, width, dtype=torch.bool)
    for iy, wy in ((0, max(dy, 0)), (1, 1 - abs(dy)), (2, max(-dy, 0))):
        for ix, wx in ((0, max(dx, 0)), (1, 1 - abs(dx)), (2, max(-dx, 0))):
            if wy * wx > 0:
                part = padded[:, iy : iy + height, ix : ix + width]
                out += part * (wy * wx)
                gone |= (part == 0).all(dim=0)
    return out.masked_fill_(gone, 0)


def match_moments(x: Tensor, reference: Tensor, blend: float) -> Tensor:
    """Brings mean and deviation of each band of C,H,W towards those of ``reference``, by ``blend``."""
    mean, std = x.mean((-2, -1), keepdim=True), x.std((-2, -1), keepdim=True).clamp_min(1)
    ref_mean, ref_std = reference.mean((-2, -1), keepdim=True), reference.std((-2, -1), keepdim=True)
    scale = (ref_std / std).clamp(0.5, 2)
    return (1 - blend) * x + blend * ((x - mean) * scale + ref_mean)
