"""Networks as the server runs them: an ``.onnx`` file in ONNX Runtime, with inputs, lattice of patches and activation
from the ``manifest.yaml`` beside it.

The rules are those of the Go package ``inference`` (prepare.go, lattice.go, compose.go), written a second time so that
what is judged is what is shipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import yaml

from .bbunet import BANDS
from .data import RED, Batch

BLOCK = 256
"""Side of the blocks that the server computes at a time: it decides where the lattice of patches lies."""

TILINGS = ("auto", "served", "plain")
_RUN = 4 * 320 * 320  # pixels that one run of a network may have, all patches together


@dataclass(frozen=True)
class Lattice:
    """Places patches of ``size`` pixels along an axis at offset + i · stride; ``margin`` is dropped from their sides."""

    size: int
    overlap: int
    margin: int
    blend: str

    @staticmethod
    def of(patch: dict[str, Any]) -> Lattice:
        """The lattice of a manifest's ``patch``."""
        size, blend = patch["size"], patch.get("blend", "cosine")
        overlap = patch.get("overlap", min(max(2 * patch["halo"], size // 8), size // 2))
        return Lattice(size, overlap, overlap // 2 if blend == "none" else 0, blend)

    @property
    def stride(self) -> int:
        return self.size - self.overlap

    @property
    def used(self) -> int:
        """Side of what is left of a patch without its margins."""
        return self.size - 2 * self.margin

    def offset(self) -> int:
        """Where the server puts patch 0: there, blocks touch the fewest patches, with the most room to either side."""
        period = self.stride // math.gcd(self.stride, BLOCK)
        touched = [sum(len(self._over(o, b * BLOCK, (b + 1) * BLOCK)) for b in range(period)) for o in range(self.stride)]
        least, best, longest, run = min(touched), 0, 0, 0
        for k in range(2 * self.stride):
            if touched[k % self.stride] != least:
                run = 0
                continue
            run += 1
            if longest < run <= self.stride:
                longest, best = run, k - run // 2
        return best % self.stride - self.stride

    def starts(self, length: int) -> list[int]:
        """First pixels (some below 0) of the patches whose used parts touch an axis of that many pixels."""
        offset = self.offset()
        return [offset + i * self.stride for i in self._over(offset, 0, length)]

    def _over(self, offset: int, a: int, b: int) -> range:
        origin = offset + self.margin
        return range((a - origin - self.used) // self.stride + 1, (b - 1 - origin) // self.stride + 1)

    def weights(self) -> np.ndarray:
        """Weight of each pixel of a patch's used part along an axis."""
        n = self.used
        ramp = min(n - self.stride, n // 2)
        edge = np.minimum(np.arange(n), np.arange(n)[::-1])
        rising = edge < ramp
        t = (edge + 0.5) / max(ramp, 1)
        risen = {"linear": t, "cosine": (1 - np.cos(np.pi * t)) / 2}.get(self.blend, np.ones(n))
        return np.where(rising, risen, 1).astype(np.float32)


def reflect(start: int, size: int, length: int) -> np.ndarray:
    """Pixels start … start + size of an axis of ``length`` pixels that goes on mirrored, its edge not repeated."""
    if length == 1:
        return np.zeros(size, np.int64)
    at = np.arange(start, start + size) % (2 * (length - 1))
    return np.minimum(at, 2 * (length - 1) - at)


class Served:
    """A network that scores patches of any size.

    ``tiling`` says how a patch becomes the network's inputs. ``served``: as the server maps an event of that size, on
    the manifest's lattice, mirrored at the edges. ``plain``: in one piece, mirrored up to the next size that the network
    takes. ``auto``: plain up to the lattice's patch size, so that small patches aren't computed mostly from their own
    mirror images, as served beyond it.
    """

    def __init__(self, path: Path, threads: int = 2, tiling: str = "auto", lattice: Lattice | None = None) -> None:
        if tiling not in TILINGS:
            raise ValueError(f"tiling {tiling!r} is not one of {', '.join(TILINGS)}")
        self.path, self.tiling = path, tiling
        self.session = session(path, threads)
        beside = path.parent / "manifest.yaml"
        self.manifest = yaml.safe_load(beside.read_text()) if beside.exists() else _guessed(self.session, path)
        self.has_manifest = beside.exists()
        self.kind = self.manifest["kind"]
        self.patch = self.manifest["patch"]
        self.lattice = lattice or Lattice.of(self.patch)
        self.output = self.manifest["output"]
        self.inputs = {i["tensor"]: [_inherit(c, i.get("defaults", {})) for c in i["channels"]] for i in self.manifest["inputs"]}
        fixed = self.session.get_inputs()[0].shape[0]
        self.largest_batch = fixed if isinstance(fixed, int) else self.patch.get("max_batch", 16)

    @property
    def maps_landslides(self) -> bool:
        """Whether it can be scored: a cloud network can only be timed."""
        return self.kind in ("bitemporal", "single-date")

    @property
    def name(self) -> str:
        """The file's name without its ending, after its folder's where they differ."""
        folder, stem = self.path.resolve().parent.name, self.path.stem
        return stem if folder in ("", stem) else f"{folder}/{stem}"

    def how(self, height: int, width: int) -> str:
        """Says in words what is done with patches of a size."""
        if self._in_one_piece(height, width):
            padded = self._padded(height, width)
            return "in one piece" + (f", mirrored to {padded[1]} × {padded[0]}" if padded != (height, width) else "")
        la = self.lattice
        blend = "overlaps cut in their middle" if la.blend == "none" else f"blend {la.blend}"
        return f"as served: patches of {la.size}, overlap {la.overlap}, {blend}, mirrored at the edges"

    def required(self) -> set[str]:
        """Bands that the manifest doesn't let be absent."""
        return {c["band"] for channels in self.inputs.values() for c in channels if "band" in c and "missing" not in c}

    def __call__(self, batch: Batch) -> np.ndarray:
        """Gives N,1,H,W probabilities of a landslide."""
        feeds = self.prepare(batch)
        height, width = batch.pre.shape[-2:]
        if self._in_one_piece(height, width):
            rows, columns = self._padded(height, width)
            y, x = reflect(0, rows, height), reflect(0, columns, width)
            padded = {k: v[:, :, y[:, None], x] for k, v in feeds.items()}
            return self.run(padded)[:, :, :height, :width]
        return self._tile(feeds, height, width)

    def prepare(self, batch: Batch) -> dict[str, np.ndarray]:
        """The input tensors of raw patches. A band that holds nothing but 0 in a patch, or a terrain that does, is
        absent: the network gets what the manifest says for that."""
        if not self.maps_landslides:
            raise ValueError(f"score {self.path}: a {self.kind} network gives no landslides")
        sides = {"pre": batch.pre.numpy(), "post": batch.post.numpy()}
        gone = {k: ~v.any(axis=(2, 3)) for k, v in sides.items()}
        empty = {k: _empty(v, gone[k]) for k, v in sides.items()}
        terrain = batch.terrain.numpy()
        flat = ~np.nan_to_num(terrain, nan=1).any(axis=(1, 2, 3))
        return {
            tensor: np.stack([_channel(c, sides, empty, gone, terrain, flat) for c in channels], 1)
            for tensor, channels in self.inputs.items()
        }

    def run(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the network on input tensors, some patches at a time, and gives N,1,H,W probabilities."""
        number, height, width = (next(iter(feeds.values())).shape[i] for i in (0, 2, 3))
        batch = max(1, min(self.largest_batch, _RUN // (height * width)))
        parts = []
        for i in range(0, number, batch):
            part = {k: np.ascontiguousarray(v[i : i + batch], np.float32) for k, v in feeds.items()}
            values = self.session.run([self.output["tensor"]], part)[0]
            parts.append(self._activate(values))
        return np.concatenate(parts)

    def _activate(self, values: np.ndarray) -> np.ndarray:
        at = self.output.get("channel", 0)
        if self.output["activation"] == "softmax":
            values = np.exp(values - values.max(1, keepdims=True))
            values /= values.sum(1, keepdims=True)
        values = values[:, at : at + 1]
        if self.output["activation"] == "sigmoid":
            values = 0.5 * (1 + np.tanh(0.5 * values))  # never overflows
        return values

    def _in_one_piece(self, height: int, width: int) -> bool:
        fits = max(height, width) <= self.lattice.size and not self.patch.get("fixed", False)
        return self.tiling == "plain" or (self.tiling == "auto" and fits)

    def _padded(self, height: int, width: int) -> tuple[int, int]:
        if self.patch.get("fixed", False):
            if max(height, width) > self.patch["size"]:
                raise ValueError(f"score {self.path} in one piece: it takes {self.patch['size']} pixels only, not {height} × {width}")
            return self.patch["size"], self.patch["size"]
        m = self.patch["multiple_of"]
        return -(-height // m) * m, -(-width // m) * m

    def _tile(self, feeds: dict[str, np.ndarray], height: int, width: int) -> np.ndarray:
        la = self.lattice
        line = la.weights()
        number = len(next(iter(feeds.values())))
        total = np.zeros((number, 1, height, width), np.float32)
        weights = np.zeros((height, width), np.float32)
        for top in la.starts(height):
            for left in la.starts(width):
                y, x = reflect(top, la.size, height), reflect(left, la.size, width)
                values = self.run({k: v[:, :, y[:, None], x] for k, v in feeds.items()})
                # The used part of the patch, as far as it lies in the image.
                y0, x0 = top + la.margin, left + la.margin
                ys, xs = slice(max(y0, 0), min(y0 + la.used, height)), slice(max(x0, 0), min(x0 + la.used, width))
                weight = line[ys.start - y0 : ys.stop - y0, None] * line[xs.start - x0 : xs.stop - x0]
                total[:, :, ys, xs] += values[:, :, ys.start - top : ys.stop - top, xs.start - left : xs.stop - left] * weight
                weights[ys, xs] += weight
        return total / weights


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Opens a network with the server's settings: on the CPU, threads that don't spin while they wait."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _empty(dn: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """N,H,W: where there is no data, told by B04 or, where that band is absent, by the first one that isn't."""
    witness = np.where(gone[:, RED], np.argmin(gone, axis=1), RED)
    return dn[np.arange(len(dn)), witness] == 0


def _inherit(channel: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    plain = {"divisor": 1, "offset": 0, "nodata": 0, "round": False, "angle_factor": 1}
    return plain | defaults | channel


def _channel(
    c: dict[str, Any],
    sides: dict[str, np.ndarray],
    empty: dict[str, np.ndarray],
    gone: dict[str, np.ndarray],
    terrain: np.ndarray,
    flat: np.ndarray,
) -> np.ndarray:
    """One channel N,H,W."""
    fill = c.get("missing", {}).get("fill")
    shape = (len(terrain), *terrain.shape[-2:])
    if "constant" in c:
        return np.full(shape, c["constant"], np.float32)
    if "terrain" in c:
        out = _terrain(c, terrain)
        if fill is not None:
            out[flat] = fill
        return out
    side = c["date"]
    out = np.zeros(shape, np.float32)
    filled = np.ones(len(out), bool)
    for band in [c["band"], *c.get("missing", {}).get("substitute", [])]:
        if band not in BANDS:
            continue
        has = ~gone[side][:, BANDS.index(band)] & filled
        out[has] = _apply(c, sides[side][has, BANDS.index(band)])
        filled &= ~has
    out[empty[side]] = c["nodata"]
    if filled.any():
        # Without a fill the server would refuse; here the network gets what no data looks like.
        out[filled] = c["nodata"] if fill is None else fill
    return out


def _terrain(c: dict[str, Any], terrain: np.ndarray) -> np.ndarray:
    elevation, slope, aspect = terrain[:, 0], terrain[:, 1], terrain[:, 2]
    angle = np.deg2rad(c["angle_factor"] * aspect.astype(np.float64))
    raw = {"elevation": lambda: elevation, "slope": lambda: slope, "aspect_sin": lambda: np.sin(angle), "aspect_cos": lambda: np.cos(angle)}
    values = raw[c["terrain"]]()
    return np.where(np.isnan(values), c["nodata"], _apply(c, values)).astype(np.float32)


def _apply(c: dict[str, Any], raw: np.ndarray) -> np.ndarray:
    x = raw.astype(np.float64)
    if c["round"]:
        x = np.sign(x) * np.floor(np.abs(x) + 0.5)
    x = x / c["divisor"] + c["offset"]
    return np.clip(x, *c["clip"]) if "clip" in c else x


def _guessed(session: onnxruntime.InferenceSession, path: Path) -> dict[str, Any]:
    """What a manifest would say of a network without one, from its inputs' names: ``pre``, ``post`` and maybe ``dem``,
    normalised as for BBUnet; one output of one logit, or of two, the second being the landslide's."""
    names = {i.name: i.shape[1] for i in session.get_inputs()}
    if not ({"pre", "post"} <= set(names) <= {"pre", "post", "dem"}) or names["pre"] != 12 or names.get("dem", 4) != 4:
        raise ValueError(f"score {path}: there is no manifest.yaml beside it, and its inputs {names} aren't pre and post with 12 bands (and dem with 4 layers)")
    bands = [{"band": b, "missing": {"fill": 0}} for b in BANDS]
    inputs = [
        {"tensor": side, "defaults": {"date": side, "divisor": 10000, "clip": [0, 1]}, "channels": bands}
        for side in ("pre", "post")
    ]
    if "dem" in names:
        half = {"angle_factor": 0.5, "divisor": 2, "offset": 0.5}
        layers = [{"terrain": "elevation", "divisor": 3000}, {"terrain": "slope", "divisor": 90}]
        layers += [{"terrain": "aspect_sin", **half}, {"terrain": "aspect_cos", **half}]
        inputs.append({"tensor": "dem", "channels": layers})
    output = session.get_outputs()[0]
    two = output.shape[1] == 2
    return {
        "kind": "bitemporal",
        "inputs": inputs,
        "output": {"tensor": output.name, "activation": "softmax" if two else "sigmoid", "channel": int(two)},
        "patch": {"size": 320, "multiple_of": 32, "halo": 32, "overlap": 64, "blend": "none"},
    }
