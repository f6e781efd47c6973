"""Training from an exported network: batch norms that were folded away for serving are put back, and a
single-date U-Net may begin with what a BBUnet has learnt to see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from . import networks
from .bbunet import BANDS, BBUnet
from .checkpoint import load
from .data import Batch, PatchSet
from .landslide4sense import CHANNELS, DIVISORS, Sample

_PREFIX, _HALF = "model.", ".half"
_FOLDED = ("bbunet", "bbunet-lite", "unet-resnet34")
"""Networks in which every batch norm follows a convolution that it was folded into."""


def from_file(path: Path, patches: PatchSet) -> nn.Module:
    """Opens a bitemporal network to be trained further: a checkpoint, or an exported BBUnet or BBUnet Lite, measured
    on some of ``patches``."""
    if path.suffix != ".onnx":
        return load(path)[1]
    if networks.get(name := network_in(path)).kind != "bitemporal":
        raise ValueError(f"begin with {path}: it holds {name}, which is not bitemporal; give an exported BBUnet or BBUnet Lite")
    picks = np.linspace(0, len(patches) - 1, min(len(patches), 96)).astype(int)
    return from_onnx(path, (patches.batch(part) for part in np.array_split(picks, 12)))


def from_onnx(path: Path, batches: Iterable[Batch | Sample]) -> nn.Module:
    """Gives the network that the file at ``path`` was exported from: it computes the same, and is ready to be trained further.

    Where a batch norm was folded into a convolution there is a batch norm again, with mean and variance as
    ``batches`` show them and scale and shift that undo it: the function is the same, and training mode
    starts from it.
    """
    file = onnx.load(str(path))
    network = networks.get(_network_of(file))
    if network.name not in _FOLDED:
        raise ValueError(f"begin with {path}: it holds {network.name}; exported networks can be trained further where they are {' or '.join(_FOLDED)}")
    stored = _weights(file)
    model = network.build().eval()
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
        inputs = (batch.inputs()[: len(network.inputs)] for batch in batches)
        for norm, (mean, variance) in _moments(model, norms.values(), inputs).items():
            norm.bias.add_(mean)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    return model


def network_in(path: Path) -> str:
    """The name of the network that an exported file holds."""
    return _network_of(onnx.load(str(path), load_external_data=False))


def single_date(bbunet: BBUnet, network: nn.Module) -> list[str]:
    """Gives a U-Net on a ResNet of basic blocks (``unet-resnet34``) the convolutions and norms of a BBUnet's encoder of
    images and of its decoder, where names and shapes agree, and returns the names of what was taken over.

    The first convolution is brought to the stored units of Landslide4Sense, and begins with nothing for the channels that
    BBUnet lacks. Blocks that a deeper ResNet has more pass their input on until they have learnt better.
    """
    source = {k: v for k, v in bbunet.state_dict().items() if k.startswith(("encoder.", "decoder."))}
    first = "encoder.conv1.weight"
    target = network.state_dict()
    if first not in target or target[first].shape[1] != len(CHANNELS):
        raise ValueError("begin with a BBUnet: only U-Nets on a ResNet that reads the 14 channels can, such as unet-resnet34")
    adapted = torch.zeros_like(target[first])
    for channel, name in enumerate(CHANNELS):
        if name in BANDS:
            adapted[:, channel] = source[first][:, BANDS.index(name)] * (DIVISORS[channel] / 10000)
    source[first] = adapted
    taken = [k for k, v in source.items() if k in target and target[k].shape == v.shape]
    network.load_state_dict({k: source[k] for k in taken}, strict=False)
    with torch.no_grad():
        for name, module in network.named_modules():
            further = isinstance(module, BasicBlock) and f"{name}.conv1.weight" not in source
            if further and module.downsample is None:
                module.bn2.weight.zero_()
    return taken


def _network_of(file: onnx.ModelProto) -> str:
    return next((p.value for p in file.metadata_props if p.key == "network"), "bbunet")


def _weights(file: onnx.ModelProto) -> dict[str, Tensor]:
    weights = {}
    for tensor in file.graph.initializer:
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
    model: nn.Module, norms: Iterable[nn.BatchNorm2d], inputs: Iterable[tuple[Tensor, ...]]
) -> dict[nn.BatchNorm2d, tuple[Tensor, Tensor]]:
    """Mean and variance by channel of what enters each batch norm."""
    sums: dict[nn.BatchNorm2d, list[Tensor | int]] = {norm: [0, 0, 0] for norm in norms}

    def count(norm: nn.BatchNorm2d, entering: tuple[Tensor]) -> None:
        x, total = entering[0].double(), sums[norm]
        total[0] += x.numel() // x.shape[1]
        total[1] = total[1] + x.sum((0, 2, 3))
        total[2] = total[2] + x.square().sum((0, 2, 3))

    hooks = [norm.register_forward_pre_hook(count) for norm in sums]
    for given in inputs:
        model(*given)
    for hook in hooks:
        hook.remove()
    out = {}
    for norm, (n, first, second) in sums.items():
        mean = first / n
        out[norm] = (mean.float(), (second / n - mean.square()).clamp_min(0).float())
    return out
