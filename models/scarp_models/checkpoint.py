"""Checkpoints: what training writes, and reading published ones without running their code."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import networks

# What a published checkpoint holds besides tensors: its hyperparameters (argparse.Namespace) and
# metrics that may be NumPy scalars, of NumPy 2 or under the names of NumPy 1. Nothing else is unpickled.
_ALLOWED = [
    argparse.Namespace,
    np.dtype,
    np._core.multiarray.scalar,
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
    *(np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType, np.dtypes.Int32DType, np.dtypes.BoolDType),
]

_WRAPPERS = ("module.", "model.", "_orig_mod.")
"""What DataParallel, Lightning modules and compiled modules put in front of every key."""

_NOT_WEIGHTS = ("wce.",)
"""Buffers of the loss that DeepSlide's training module carries beside its network."""


class CheckpointError(ValueError):
    """A file is not a checkpoint that can be read, or not one of the network that it should be of."""


def read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint, whoever wrote it. Only tensors, plain values, NumPy scalars and an argparse.Namespace
    are accepted: a pickle that names anything else is refused, so nothing in the file can run."""
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that it does not like
        raise CheckpointError(
            f"read checkpoint {path}: {error}\nOnly tensors, plain values and an argparse.Namespace are read. If you trust "
            "whoever made the file, let them save the state_dict alone: torch.save(model.state_dict(), …)"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"read checkpoint {path}: holds a {type(content).__name__}, expected a dict")
    return content


def weights(content: dict[str, Any]) -> dict[str, Tensor]:
    """The state dict in what :func:`read` gave: averaged weights (``ema``) where there are any, else
    ``state_dict`` or ``model_state_dict``, else the whole; without wrappers' prefixes and losses' buffers.
    A CheckpointError says that there is none."""
    for key in ("ema", "state_dict", "model_state_dict"):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    state = {k: v for k, v in content.items() if not str(k).startswith(_NOT_WEIGHTS)}
    if not state or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise CheckpointError("the checkpoint holds no state dict: no mapping of names to tensors")
    while prefix := next((p for p in _WRAPPERS if all(k.startswith(p) for k in state)), None):
        state = {k.removeprefix(prefix): v for k, v in state.items()}
    return state


def build(name: str, state: dict[str, Tensor]) -> nn.Module:
    """The network called ``name`` with these weights, ready to be run."""
    model = networks.get(name).build()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        lines = str(error).splitlines()
        shown = "\n".join(line[:300] for line in lines[:6])  # torch lists every key
        raise CheckpointError(f"load {name}: {shown}") from error
    return model.eval()


def load(path: Path, name: str | None = None) -> tuple[networks.Network, nn.Module]:
    """The network of a checkpoint that training wrote. ``name`` is needed only where the file doesn't say."""
    content = read(path)
    name = name or content.get("network") or "bbunet"
    try:
        return networks.get(name), build(name, weights(content))
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a checkpoint in one step, so that a killed process leaves the old one whole."""
    temporary = path.with_suffix(".part")
    torch.save(content, temporary)
    os.replace(temporary, path)
