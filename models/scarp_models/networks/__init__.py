"""Every network that can be trained, imported, exported and served, by name.

:func:`get` gives what the other modules need to know of a network: its inputs, its output and how
to build it. A network's state dict keeps the layout that its authors publish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ..bbunet import BANDS, STRIDE, TERRAIN, BBUnet


@dataclass(frozen=True)
class Network:
    """What the rest of the package knows of a network."""

    name: str
    kind: str
    """``bitemporal``, ``single-date`` or ``cloud``."""
    inputs: dict[str, tuple[str, ...]]
    """Name of each input tensor → its channels, in order."""
    classes: int
    """Channels of the output: 1 (a logit, sigmoid), 2 (softmax, channel 1 is landslide) or 4 (cloud classes, softmax)."""
    stride: int
    """Height and width must be multiples of this."""
    build: Callable[[], nn.Module]
    """Gives an untrained module; ``forward(*tensors in the order of inputs)`` gives logits N,classes,H,W."""
    paper: str
    """Where the architecture is from."""


_BITEMPORAL = {"pre": BANDS, "post": BANDS}

_NETWORKS = (
    Network(
        "bbunet", "bitemporal", _BITEMPORAL | {"dem": TERRAIN}, 1, STRIDE, BBUnet, "https://arxiv.org/abs/2405.20161"
    ),
)
_BY_NAME = {n.name: n for n in _NETWORKS}


def get(name: str) -> Network:
    """Gives a network; an unknown name is a ValueError that lists the known ones."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"no network is called {name!r}: choose from {', '.join(_BY_NAME)}") from None


def names(kind: str | None = None) -> list[str]:
    """Names of all networks, or of those of one kind."""
    return [n.name for n in _NETWORKS if kind in (None, n.kind)]
