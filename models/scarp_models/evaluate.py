"""Evaluation on patches: the network, and the simple rules that it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from .bbunet import BANDS, BBUnet
from .data import Batch, PatchSet
from .metrics import Histogram

Scorer = Callable[[Batch], np.ndarray]
"""Gives N,1,S,S scores in 0..1, high where a landslide is new."""

_RED, _NIR = BANDS.index("B04"), BANDS.index("B08")


def bbunet(model: BBUnet) -> Scorer:
    """Scores with a PyTorch network, in bfloat16: for the curve during training."""
    model = model.eval().to(memory_format=torch.channels_last)

    @torch.no_grad()
    def score(batch: Batch) -> np.ndarray:
        inputs = [x.contiguous(memory_format=torch.channels_last) for x in batch.inputs()]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return torch.sigmoid(model(*inputs).float()).numpy()

    return score


def onnx_file(path: Path, threads: int = 2) -> Scorer:
    """Scores with an exported network in ONNX Runtime: what is shipped is what is judged."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def score(batch: Batch) -> np.ndarray:
        names = ("pre", "post", "dem")
        feeds = {n: x.numpy() for n, x in zip(names, batch.inputs(), strict=True)}
        return 1 / (1 + np.exp(-session.run(["logits"], feeds)[0]))

    return score


def ndvi_drop(batch: Batch) -> np.ndarray:
    """Loss of NDVI (0..1 of it), on slopes of at least 10°."""
    drop = _ndvi(batch.pre) - _ndvi(batch.post)
    return (drop * (batch.terrain[:, 1:2] >= 10)).clamp(0, 1).numpy()


def change_vector(batch: Batch) -> np.ndarray:
    """Length of the change vector over all bands in reflectance, on slopes of at least 10°; 1 is 1.0."""
    length = ((batch.post - batch.pre) / 10000).square().sum(1, keepdim=True).sqrt()
    return (length * (batch.terrain[:, 1:2] >= 10)).clamp(0, 1).numpy()


def _ndvi(dn: torch.Tensor) -> torch.Tensor:
    red, nir = dn[:, _RED : _RED + 1], dn[:, _NIR : _NIR + 1]
    return (nir - red) / (nir + red).clamp_min(1)


def evaluate(scorer: Scorer, sets: Iterable[PatchSet], batch: int = 16) -> Histogram:
    """Scores all patches of all sets into one histogram; pixels that the paper's rule excludes don't count."""
    histogram = Histogram()
    for patches in sets:
        for part in patches.batches(batch):
            histogram.add(scorer(part), part.mask.numpy() > 0, part.valid.numpy())
    return histogram


def predict_patches(model: BBUnet, sets: Iterable[PatchSet]) -> Histogram:
    """Shorthand for :func:`evaluate` with a PyTorch network."""
    return evaluate(bbunet(model), sets)


def tiled(scorer: Scorer, size: int = 256, overlap: int = 64) -> Scorer:
    """Lets a scorer of ``size`` × ``size`` patches judge larger ones as the server does: reflect-padded,
    cut into overlapping patches, averaged with cosine weights."""
    step = size - overlap
    ramp = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5) / max(overlap, 1)
    window = np.sin(np.pi / 2 * np.clip(ramp, 0, 1)) ** 2
    weight = (window[:, None] * window[None, :]).astype(np.float32)

    def score(batch: Batch) -> np.ndarray:
        height, width = batch.pre.shape[-2:]
        rows, columns = (-(-(n + 2 * overlap - size) // step) * step + size for n in (height, width))

        def pad(x: torch.Tensor) -> torch.Tensor:
            below, right = rows - height - overlap, columns - width - overlap
            return torch.nn.functional.pad(x, (overlap, right, overlap, below), mode="reflect")

        pre, post, terrain = pad(batch.pre), pad(batch.post), pad(batch.terrain)
        total = np.zeros((len(batch), 1, rows, columns), np.float32)
        weights = np.zeros((rows, columns), np.float32)
        for y in range(0, rows - size + 1, step):
            for x in range(0, columns - size + 1, step):
                at = (slice(None), slice(None), slice(y, y + size), slice(x, x + size))
                part = Batch(pre[at], post[at], terrain[at], batch.mask, batch.valid)
                total[at] += scorer(part) * weight
                weights[y : y + size, x : x + size] += weight
        whole = total / np.maximum(weights, 1e-6)
        return whole[:, :, overlap : overlap + height, overlap : overlap + width]

    return score
