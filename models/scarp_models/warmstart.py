"""Training from an exported BBUnet: its batch norms, folded away for serving, are put back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from .bbunet import BBUnet
from .data import Batch

_PREFIX, _HALF = "model.", ".half"


def from_onnx(path: Path, batches: Iterable[Batch]) -> BBUnet:
    """Gives a BBUnet that computes what the file at ``path`` does, ready to be trained further.

    Where a batch norm was folded into a convolution there is a batch norm again, with mean and variance as
    ``batches`` show them and scale and shift that undo it: the function is the same, and training mode
    starts from it.
    """
    stored = _weights(path)
    model = BBUnet().eval()
    state = model.state_dict()
    norms = {name: module for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    with torch.no_grad():
        for key, target in state.items():
            if key in stored:
                target.copy_(stored[key])
        for name, norm in norms.items():
            conv = _convolution_before(name)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
            norm.bias.copy_(stored[f"{conv}.bias"])
            if f"{conv}.bias" in state:  # the fusion's convolutions have a bias of their own beside the norm's
                state[f"{conv}.bias"].zero_()
        for norm, (mean, variance) in _moments(model, norms.values(), batches).items():
            norm.bias.add_(mean)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    return model


def _weights(path: Path) -> dict[str, Tensor]:
    graph = onnx.load(str(path)).graph
    weights = {}
    for tensor in graph.initializer:
        if tensor.name.startswith(_PREFIX):
            key = tensor.name.removeprefix(_PREFIX).removesuffix(_HALF)
            weights[key] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    return weights


def _convolution_before(norm: str) -> str:
    """The name of the convolution that feeds a batch norm: bn2 → conv2, or the member before in a sequence."""
    parent, _, last = norm.rpartition(".")
    before = last.replace("bn", "conv") if last.startswith("bn") else str(int(last) - 1)
    return f"{parent}.{before}" if parent else before


@torch.no_grad()
def _moments(
    model: BBUnet, norms: Iterable[nn.BatchNorm2d], batches: Iterable[Batch]
) -> dict[nn.BatchNorm2d, tuple[Tensor, Tensor]]:
    """Mean and variance by channel of what enters each batch norm."""
    sums: dict[nn.BatchNorm2d, list[Tensor | int]] = {norm: [0, 0, 0] for norm in norms}

    def count(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        x, total = inputs[0].double(), sums[norm]
        total[0] += x.numel() // x.shape[1]
        total[1] = total[1] + x.sum((0, 2, 3))
        total[2] = total[2] + x.square().sum((0, 2, 3))

    hooks = [norm.register_forward_pre_hook(count) for norm in sums]
    for batch in batches:
        model(*batch.inputs())
    for hook in hooks:
        hook.remove()
    out = {}
    for norm, (n, first, second) in sums.items():
        mean = first / n
        out[norm] = (mean.float(), (second / n - mean.square()).clamp_min(0).float())
    return out
