"""Every network that can be trained, imported, exported and served, by name.

:func:`get` gives what the other modules need to know of a network: its inputs, its output and how
to build it. A network's state dict keeps the layout that its authors publish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from ..bbunet import BANDS, STRIDE, TERRAIN, BBUnet
from . import clouds, single
from .bit import Bit
from .lite import BBUnetLite
from .segformer import Segformer
from .seifnet import SeifNet
from .siamese import SiameseUnet
from .tinycd import TinyCD


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


_PAIR = {"pre": BANDS, "post": BANDS}
_PAIR_AND_TERRAIN = _PAIR | {"dem": TERRAIN}
_IMAGE = {"image": single.CHANNELS}

_BBUNET = "https://arxiv.org/abs/2405.20161"
_SIAMESE = "https://arxiv.org/abs/1810.08462"
_BIT = "https://arxiv.org/abs/2103.00208"
_SEIFNET = "https://doi.org/10.1109/TGRS.2024.3360516"
_TINYCD = "https://arxiv.org/abs/2207.13159"
_DEEPSLIDE = "https://arxiv.org/abs/2507.01123"
_OWN = "none: an architecture of this project"


def _unet(encoder: str) -> Network:
    name = f"unet-{encoder.replace('_', '-')}"
    return Network(name, "single-date", _IMAGE, 1, 32, partial(single.Unet, encoder), _DEEPSLIDE)


_NETWORKS = (
    Network("bbunet", "bitemporal", _PAIR_AND_TERRAIN, 1, STRIDE, BBUnet, _BBUNET),
    Network("bbunet-lite", "bitemporal", _PAIR_AND_TERRAIN, 1, 32, BBUnetLite, _OWN),
    Network("unet-siam-diff", "bitemporal", _PAIR, 1, 32, partial(SiameseUnet, concatenate=False), _SIAMESE),
    Network("unet-siam-conc", "bitemporal", _PAIR, 1, 32, partial(SiameseUnet, concatenate=True), _SIAMESE),
    Network("bit", "bitemporal", _PAIR, 2, 8, Bit, _BIT),
    Network("seifnet", "bitemporal", _PAIR, 2, 32, SeifNet, _SEIFNET),
    Network("tinycd", "bitemporal", _PAIR, 2, 8, TinyCD, _TINYCD),
    *(_unet(encoder) for encoder in single.ENCODERS),
    Network("unet-mit-b1", "single-date", _IMAGE, 1, 32, partial(single.ReducedUnet, "mit_b1"), _DEEPSLIDE),
    Network(
        "segformer-mit-b2", "single-date", _IMAGE, 1, 32, partial(Segformer, len(single.CHANNELS)), _DEEPSLIDE
    ),
    Network("deeplabv3plus-resnet50", "single-date", _IMAGE, 1, 16, single.deeplabv3plus, _DEEPSLIDE),
    Network("clouds", "cloud", {"image": clouds.BANDS}, len(clouds.CLASSES), 32, clouds.CloudNet, _OWN),
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
