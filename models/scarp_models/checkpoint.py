"""Checkpoints: what training writes, and reading published ones without running their code."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .bbunet import BBUnet

# What a published checkpoint holds besides tensors: its hyperparameters (argparse.Namespace) and
# metrics that may be NumPy scalars. Nothing else is unpickled.
_ALLOWED = [argparse.Namespace, np.dtype, np._core.multiarray.scalar, np.dtypes.Float64DType, np.dtypes.Float32DType]


class CheckpointError(ValueError):
    """A file is not a checkpoint that can be read, or not one of BBUnet."""


def read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint, whoever wrote it. Only tensors, plain values and an argparse.Namespace are
    accepted: a pickle that names any other class is refused, so nothing in the file can run."""
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that it does not like
        raise CheckpointError(f"read checkpoint {path}: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"read checkpoint {path}: holds a {type(content).__name__}, expected a dict")
    return content


def load_bbunet(path: Path) -> BBUnet:
    """Gives the BBUnet of a checkpoint: the averaged weights (``ema``) where there are any, else
    ``state_dict``, else the file itself as a bare state dict."""
    content = read(path)
    state = content.get("ema") or content.get("state_dict") or content
    # Wrappers (DataParallel, Lightning) put their name in front of every key.
    for prefix in ("module.", "model."):
        if all(isinstance(k, str) and k.startswith(prefix) for k in state):
            state = {k[len(prefix) :]: v for k, v in state.items()}
    model = BBUnet()
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(f"load BBUnet from {path}: {error}") from error
    return model.eval()


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a checkpoint in one step, so that a killed process leaves the old one whole."""
    temporary = path.with_suffix(".part")
    torch.save(content, temporary)
    os.replace(temporary, path)
