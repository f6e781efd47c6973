"""BBUnet Lite: BBUnet's plan with a fifth of its weights and a quarter of its arithmetic.

What BBUnet spends most on is left out or narrowed: the encoders are half as wide and the terrain's
a quarter; the fusion works on a 1×1 reduction; there is no attention; and nothing runs at full
resolution, where the logits come from subpixels of the map at 1/2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..bbunet import BANDS, TERRAIN
from .blocks import ConvNorm, Pyramid, SubpixelHead, enlarge

WIDTHS = (32, 48, 96, 160, 256)
TERRAIN_WIDTHS = (16, 16, 32, 48, 64)
DECODER_WIDTHS = (128, 64, 48, 32)


class Fusion(nn.Module):
    """The change of one scale, plus what change and terrain say together."""

    def __init__(self, channels: int, terrain: int) -> None:
        super().__init__()
        self.join = nn.Sequential(
            ConvNorm(channels + terrain, channels, kernel=1), ConvNorm(channels, channels, relu=False)
        )

    def forward(self, pre: Tensor, post: Tensor, dem: Tensor) -> Tensor:
        change = post - pre
        return change + self.join(torch.cat([change, dem], dim=1))


class BBUnetLite(nn.Module):
    """Maps (pre N,12,H,W; post N,12,H,W; dem N,4,H,W) to logits N,1,H,W; H and W are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid(len(BANDS), WIDTHS, depth=2)
        self.dem_encoder = Pyramid(len(TERRAIN), TERRAIN_WIDTHS, depth=1)
        self.fusion = nn.ModuleList(Fusion(c, t) for c, t in zip(WIDTHS, TERRAIN_WIDTHS, strict=True))
        coarse = (WIDTHS[-1], *DECODER_WIDTHS[:-1])
        self.decoder = nn.ModuleList(
            nn.Sequential(ConvNorm(below + skip, out), ConvNorm(out, out))
            for below, skip, out in zip(coarse, WIDTHS[-2::-1], DECODER_WIDTHS, strict=True)
        )
        self.head = SubpixelHead(DECODER_WIDTHS[-1], classes=1)

    def forward(self, pre: Tensor, post: Tensor, dem: Tensor) -> Tensor:
        maps = zip(self.encoder(pre), self.encoder(post), self.dem_encoder(dem), strict=True)
        fused = [join(*scale) for join, scale in zip(self.fusion, maps, strict=True)]
        x = fused[-1]
        for block, skip in zip(self.decoder, fused[-2::-1], strict=True):
            x = block(torch.cat([enlarge(x), skip], dim=1))
        return self.head(x)
