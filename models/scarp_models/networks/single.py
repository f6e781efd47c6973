"""The single-date networks of DeepSlide (arXiv 2507.01123): U-Net on many encoders, and DeepLabV3+."""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from ..unet import decode

CHANNELS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "slope", "elevation")
"""Channels of ``image``: those of Landslide4Sense, in order."""

ENCODERS = (
    "resnet34",
    "vgg16",
    "efficientnet-b0",
    "mobilenet_v2",
    "densenet121",
    "resnext50_32x4d",
    "se_resnet50",
    "se_resnext50_32x4d",
    "inceptionv4",
    "inceptionresnetv2",
)
"""Encoders of the U-Nets that read the 14 channels themselves."""


class Unet(nn.Module):
    """Maps image N,channels,H,W to logits N,1,H,W; H and W are multiples of 32.

    The state dict is that of segmentation_models_pytorch's ``Unet``.
    """

    def __init__(self, encoder: str, channels: int = len(CHANNELS)) -> None:
        super().__init__()
        whole = smp.Unet(encoder, encoder_weights=None, in_channels=channels, classes=1)
        self.encoder, self.decoder, self.segmentation_head = whole.encoder, whole.decoder, whole.segmentation_head

    def forward(self, image: Tensor) -> Tensor:
        return self.segmentation_head(decode(self.decoder, self.encoder(image)))


class ReducedUnet(nn.Module):
    """A U-Net on three learned mixtures of the 14 channels.

    DeepSlide's form for MiT-B1, whose encoder it left at three input channels: ``conv.``, ``model.``.
    """

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(len(CHANNELS), 3, 1)
        self.model = Unet(encoder, channels=3)

    def forward(self, image: Tensor) -> Tensor:
        return self.model(self.conv(image))


def deeplabv3plus() -> nn.Module:
    """DeepLabV3+ on ResNet-50; height and width are multiples of 16."""
    return smp.DeepLabV3Plus("resnet50", encoder_weights=None, in_channels=len(CHANNELS), classes=1)
