"""Scores of single-date networks: F1 and IoU with intervals over patches, for all channels and for fewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .landslide4sense import CHANNELS, OPTICAL, Source, batches
from .loop import forward, open_network
from .metrics import Counts, codes
from .single_augment import only
from .train import one_logit

Predict = Callable[[Tensor], Tensor]
"""N,14,S,S in stored units → N,1,S,S probabilities."""

VIEWS: dict[str, tuple[str, ...]] = {
    "all channels": CHANNELS,
    "without cirrus band": tuple(c for c in CHANNELS if c != "B10"),
    "without terrain": CHANNELS[:OPTICAL],
    "RGB, NIR, terrain": ("B02", "B03", "B04", "B08", "slope", "elevation"),
    "RGB": ("B02", "B03", "B04"),
}
"""What a user may have, from all to least."""


def report(counts: Counts, threshold: float) -> dict[str, Any]:
    """Scores at a threshold that was chosen on other patches, with 95 % intervals over patches."""
    whole, between = counts.total(), counts.intervals(threshold)
    return (
        {"patches": len(counts)}
        | whole.at(threshold).as_dict()
        | {"average_precision": round(whole.average_precision(), 4)}
        | {f"{name}_95": [round(float(v), 4) for v in between[name]] for name in ("f1", "iou")}
    )


def predictor(path: Path, threads: int = 2) -> tuple[str, Predict]:
    """Name and probabilities of a ``best.pt`` or an exported ``.onnx`` file."""
    name, logits = open_network(path, threads)
    return name, lambda image: torch.sigmoid(one_logit(logits(image)))


def torch_network(model: nn.Module, bfloat16: bool = True, device: str = "cpu") -> Predict:
    """Predicts with a PyTorch network; bfloat16 is for the curve during training."""
    model.eval()

    @torch.no_grad()
    def predict(image: Tensor) -> Tensor:
        return torch.sigmoid(one_logit(forward(model, (image,), device, bfloat16))).cpu()

    return predict


def count(predict: Predict, source: Source, channels: tuple[str, ...] = CHANNELS, size: int = 32) -> Counts:
    """Counts the pixels of every patch by score and truth, seeing only some channels."""
    parts = []
    for sample in batches(source, size):
        steps = codes(predict(only(sample, channels).image)[:, 0].numpy())
        parts.append(Counts.of(steps, sample.mask[:, 0].numpy() > 0, sample.valid[:, 0].numpy()))
    return Counts.join(parts)
