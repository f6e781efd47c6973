"""A small cloud network of our own, with the inputs and classes of OmniCloudMask: a narrow residual U-Net."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvNorm, Pyramid, SubpixelHead, enlarge

BANDS = ("B04", "B03", "B08")
"""Channels of ``image``: red, green, near infrared."""

CLASSES = ("clear", "thick", "thin", "shadow")
"""Classes, in the order of the output's channels."""

WIDTHS = (16, 24, 40, 64, 96)


class CloudNet(nn.Module):
    """Maps image N,3,H,W to logits N,4,H,W; H and W are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid(len(BANDS), WIDTHS, depth=2)
        pairs = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.lateral = nn.ModuleList(ConvNorm(coarse, fine, kernel=1, relu=False) for coarse, fine in pairs)
        self.decoder = nn.ModuleList(ConvNorm(fine, fine) for _, fine in pairs)
        self.head = SubpixelHead(WIDTHS[0], classes=len(CLASSES))

    def forward(self, image: Tensor) -> Tensor:
        maps = self.encoder(image)
        x = maps[-1]
        for lateral, block, skip in zip(self.lateral, self.decoder, maps[-2::-1], strict=True):
            x = block(enlarge(lateral(x)) + skip)
        return self.head(x)
