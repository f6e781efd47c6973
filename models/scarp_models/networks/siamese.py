"""UNet-Siam-Diff and UNet-Siam-Conc: one ResNet-18 for both dates and a U-Net decoder (arXiv 1810.08462, 2405.20161)."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.base import SegmentationHead, initialization
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from ..bbunet import BANDS
from ..unet import decode


class SiameseUnet(nn.Module):
    """Maps (pre N,12,H,W; post N,12,H,W) to logits N,1,H,W.

    At each scale the decoder sees post − pre, or with ``concatenate`` pre and post side by side.
    The state dict is laid out as segmentation_models_pytorch's ``Unet`` with the encoder resnet18:
    ``encoder.``, ``decoder.blocks.``, ``segmentation_head.``.
    """

    def __init__(self, concatenate: bool) -> None:
        super().__init__()
        self.concatenate = concatenate
        self.encoder = get_encoder("resnet18", in_channels=len(BANDS), depth=5, weights=None)
        widen = 2 if concatenate else 1
        self.decoder = UnetDecoder(
            encoder_channels=tuple(widen * c for c in self.encoder.out_channels),
            decoder_channels=(256, 128, 64, 32, 16),
        )
        self.segmentation_head = SegmentationHead(in_channels=16, out_channels=1, kernel_size=3)
        initialization.initialize_decoder(self.decoder)
        initialization.initialize_head(self.segmentation_head)

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        before, after = self.encoder(pre), self.encoder(post)
        if self.concatenate:
            fused = [torch.cat([b, a], dim=1) for b, a in zip(before, after, strict=True)]
        else:
            fused = [a - b for b, a in zip(before, after, strict=True)]
        return self.segmentation_head(decode(self.decoder, fused))
