"""Published checkpoints → served models, without running anything that the files carry.

Two projects publish weights, in these formats:

- BBUnet and its comparators (arXiv 2405.20161): ``torch.save`` of state_dict, hparams (an argparse.Namespace),
  val_metrics, epoch and, in newer ones, train_metrics;
- DeepSlide (arXiv 2507.01123): the state dict of a Lightning module, so every key begins with ``model.`` (twice,
  where that module holds a wrapper) and the loss's class weight lies beside.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import checkpoint, networks
from .bbunet import BANDS
from .checkpoint import CheckpointError
from .networks import Network

_METRICS = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall"}


@dataclass(frozen=True)
class Published:
    """A published network, and what its file says of itself."""

    network: Network
    model: nn.Module
    about: dict[str, Any]
    """For :func:`manifest.build`."""
    sha256: str
    """Of the checkpoint."""


def load(path: Path, name: str | None = None) -> Published:
    """Reads a published checkpoint; the network is recognised by its weights unless ``name`` says which it is.

    A CheckpointError says what is wrong: a file that would run code, weights that are no known
    network's, or bands in another order than these networks are served with.
    """
    content = checkpoint.read(path)
    try:
        state = checkpoint.weights(content)
        name = name or recognise(state)
        model = checkpoint.build(name, state)
        about = _about(content, networks.get(name))
    except ValueError as error:
        raise CheckpointError(f"import {path}: {error}") from error
    return Published(networks.get(name), model, about, hashlib.sha256(path.read_bytes()).hexdigest())


def recognise(state: dict[str, Tensor]) -> str:
    """The one network whose weights have these names and shapes."""
    shapes = {k: tuple(v.shape) for k, v in state.items()}
    unlike: list[tuple[int, str]] = []
    for name in networks.names():
        expected = _shapes(name)
        if expected == shapes:
            return name
        unlike.append((len(expected.items() ^ shapes.items()), name))
    distance, nearest = min(unlike)
    expected = _shapes(nearest)
    examples = sorted(k for k in expected.keys() | shapes.keys() if expected.get(k) != shapes.get(k))[:3]
    told = "; ".join(f"{k}: {shapes.get(k, 'absent')}, expected {expected.get(k, 'nothing')}" for k in examples)
    raise CheckpointError(
        f"the weights are not those of a known network. {nearest} is nearest, but {distance} names or shapes differ ({told})"
    )


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    build = networks.get(name).build
    try:
        with torch.device("meta"):  # no memory, no random numbers
            model = build()
    except (RuntimeError, NotImplementedError):  # some constructors compute with real numbers
        model = build()
    return {k: tuple(v.shape) for k, v in model.state_dict().items()}


def _about(content: dict[str, Any], network: Network) -> dict[str, Any]:
    """What the file says of itself, as far as a manifest has a place for it."""
    hparams = content.get("hparams")
    settings = vars(hparams) if isinstance(hparams, argparse.Namespace) else {}
    bands = settings.get("BANDS")
    if network.kind == "bitemporal" and bands is not None and tuple(bands) != BANDS:
        raise CheckpointError(f"it was trained on the bands {' '.join(bands)}, served are {' '.join(BANDS)} in this order")
    fusion = settings.get("FUSION_MODULE", "diff_features")
    if network.name == "unet-siam-diff" and (fusion != "diff_features" or settings.get("ADD_DEM")):
        # Other fusions without weights of their own look the same.
        raise CheckpointError(f"its fusion is {fusion} with terrain {settings.get('ADD_DEM')}; only plain diff_features is served")
    metrics = content.get("val_metrics")
    found = {k: _last(metrics[k]) for k in _METRICS if k in metrics} if isinstance(metrics, dict) else {}
    split = "validation, as the checkpoint itself states; not measured here"
    about: dict[str, Any] = {
        "untrained_absence": True,
        "provenance": {
            "metrics": [
                {"name": _METRICS[k], "value": round(v, 4), "split": split} for k, v in found.items() if math.isfinite(v)
            ],
            "not_good_for": [
                "Decisions about people's safety without a look at the images.",
                "Not measured by whoever imported it: judge it on known events first.",
            ],
        },
    }
    threshold = settings.get("THRESHOLD")
    if isinstance(threshold, (int, float)) and 0 < threshold < 1:
        about["threshold"] = float(threshold)
    return about


def _last(value: Any) -> float:
    """A metric as a number; of one value a class, that of landslides, the last."""
    if isinstance(value, Tensor):
        value = value.flatten().tolist()
    if isinstance(value, (list, tuple)):
        value = value[-1] if value else math.nan
    return float(value)


def card(published: Published, source: Path, name: str, parameters: int) -> str:
    """The text of a CARD.md that says what is known, and what isn't."""
    metrics = published.about["provenance"]["metrics"]
    network = published.network
    inputs = "\n".join(f"- `{tensor}`: {', '.join(channels)}" for tensor, channels in network.inputs.items())
    stated = "\n".join(f"| {m['name']} | {m['value']} |" for m in metrics)
    table = f"The checkpoint says of itself, on its own validation data:\n\n| metric | value |\n| --- | --- |\n{stated}\n" if metrics else (
        "The checkpoint says nothing of how well it does.\n"
    )
    return f"""# {name}

Imported weights of `{network.name}` ({network.paper}), {parameters / 1e6:.1f} million of them, from the file
`{source.name}`, SHA-256 `{published.sha256}`. Nothing but numbers was read from that file.

## Inputs

{inputs}

How each is prepared is in `manifest.yaml`. No channel may be absent but where the manifest names a stand-in: whether the
network was trained to do without any isn't known.

## How well it does

{table}
Nothing was measured when it was imported. Use `python -m scarp_models evaluate` on events that you know.

## Licence

The terms of the weights are their publisher's; the manifest says `LicenseRef-unknown` unless whoever imported
them stated otherwise.
"""
