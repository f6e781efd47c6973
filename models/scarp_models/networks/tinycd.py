"""TinyCD: a small siamese network that mixes the two dates channel by channel (arXiv 2207.13159).

The first four stages of an EfficientNet-B4; at each, grouped convolutions over interleaved
channels of both dates give a mask; the masks gate the decoder on its way up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import efficientnet_b4

from ..bbunet import BANDS


class TinyCD(nn.Module):
    """Maps (pre N,12,H,W; post N,12,H,W) to logits N,2,H,W; H and W are multiples of 8.

    Its instance norms take their statistics from the patch that they see: a pixel's score depends,
    a little, on the whole patch. The state dict has the published layout.
    """

    def __init__(self) -> None:
        super().__init__()
        self._backbone = nn.ModuleList(list(efficientnet_b4().features.children())[:4])
        self._backbone[0][0] = nn.Conv2d(len(BANDS), 48, 3, stride=2, padding=1, bias=False)
        self._first_mix = MaskedMix(2 * len(BANDS), 3, (3, 10, 5, 1))
        self._mixing_mask = nn.ModuleList(
            [MaskedMix(48, 24, (24, 12, 6, 1)), MaskedMix(64, 32, (32, 16, 8, 1)), Mix(112, 56)]
        )
        self._up = nn.ModuleList([Up(56, 64), Up(64, 64), Up(64, 32)])
        self._classify = Pixelwise((32, 16, 8, 2), last=nn.Identity())

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        masks = [self._first_mix(pre, post)]
        pre, post = self._backbone[0](pre), self._backbone[0](post)
        for stage, mix in zip(list(self._backbone)[1:], self._mixing_mask, strict=True):
            pre, post = stage(pre), stage(post)
            masks.append(mix(pre, post))
        x = masks[-1]
        for up, mask in zip(self._up, masks[-2::-1], strict=True):
            x = up(x, mask)
        return self._classify(x)


class Mix(nn.Module):
    """Interleaves the channels of both dates; each output channel sees its own pairs."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self._convmix = nn.Sequential(
            nn.Conv2d(channels, groups, 3, groups=groups, padding=1), nn.PReLU(), nn.InstanceNorm2d(groups)
        )

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        return self._convmix(torch.stack([pre, post], dim=2).flatten(1, 2))


class MaskedMix(nn.Module):
    """A mix, reduced to one channel pixel by pixel."""

    def __init__(self, channels: int, groups: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self._mixing = Mix(channels, groups)
        self._linear = Pixelwise(widths)

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        return self._linear(self._mixing(pre, post))


class Pixelwise(nn.Module):
    """A perceptron for each pixel, of the given widths."""

    def __init__(self, widths: tuple[int, ...], last: nn.Module | None = None) -> None:
        super().__init__()
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self._linears = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 1), last if last is not None and i == len(pairs) - 1 else nn.PReLU())
                for i, (a, b) in enumerate(pairs)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self._linears(x)


class Up(nn.Module):
    """Doubles the size, gates by a mask, convolves depthwise and pointwise."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self._convolution = nn.Sequential(
            nn.Conv2d(channels, channels, 3, groups=channels, padding=1),
            nn.PReLU(),
            nn.InstanceNorm2d(channels),
            nn.Conv2d(channels, out, 1),
            nn.PReLU(),
            nn.InstanceNorm2d(out),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        return self._convolution(x * mask)
