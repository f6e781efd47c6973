"""BBUnet: a bitemporal, bimodal U-Net for newly triggered landslides (arXiv 2405.20161)."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.base import SegmentationHead, initialization
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from .unet import decode

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
"""Channels of ``pre`` and ``post``, in order."""

TERRAIN = ("elevation", "slope", "aspect_sin", "aspect_cos")
"""Channels of ``dem``, in order."""

STRIDE = 32
"""Height and width of the inputs must be multiples of this."""


class Fusion(nn.Module):
    """Joins the change of the optical features with the terrain features of one scale.

    With d = post − pre it gives d + conv(relu(conv(concat(d, dem)))), both convolutions 3×3 with
    bias and batch norm, and no activation after the sum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fusion = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, pre: Tensor, post: Tensor, dem: Tensor) -> Tensor:
        change = post - pre
        return change + self.fusion(torch.cat([change, dem], dim=1))


class BBUnet(nn.Module):
    """Maps (pre N,12,H,W; post N,12,H,W; dem N,4,H,W) to logits N,1,H,W.

    The state dict has the layout of the published checkpoints: ``encoder.`` (shared by pre and
    post), ``dem_encoder.``, ``fusion_module.{1..5}.fusion.``, ``decoder.``, ``segmentation_head.``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = get_encoder("resnet18", in_channels=len(BANDS), depth=5, weights=None)
        self.dem_encoder = get_encoder("resnet18", in_channels=len(TERRAIN), depth=5, weights=None)
        channels = self.encoder.out_channels
        # Scale 0 is the input itself, which the decoder doesn't use as a skip: nothing to fuse.
        self.fusion_module = nn.ModuleList(
            [nn.Identity(), *(Fusion(c) for c in channels[1:])]
        )
        self.decoder = UnetDecoder(
            encoder_channels=channels,
            decoder_channels=(256, 128, 64, 32, 16),
            n_blocks=5,
            use_norm="batchnorm",
            add_center_block=False,
            attention_type="scse",
        )
        self.segmentation_head = SegmentationHead(in_channels=16, out_channels=1, kernel_size=3)
        initialization.initialize_decoder(self.decoder)
        initialization.initialize_head(self.segmentation_head)

    def forward(self, pre: Tensor, post: Tensor, dem: Tensor) -> Tensor:
        before, after, terrain = self.encoder(pre), self.encoder(post), self.dem_encoder(dem)
        fused = [post]  # the decoder has no skip at full resolution
        for scale in range(1, len(after)):
            fused.append(self.fusion_module[scale](before[scale], after[scale], terrain[scale]))
        return self.segmentation_head(decode(self.decoder, fused))
