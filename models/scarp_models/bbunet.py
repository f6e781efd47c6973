"""BBUnet: a bitemporal, bimodal U-Net for newly triggered landslides (arXiv 2405.20161)."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.base import SegmentationHead, initialization
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

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
        fused = [post]  # only its size is read
        for scale in range(1, len(after)):
            fused.append(self.fusion_module[scale](before[scale], after[scale], terrain[scale]))
        return self.segmentation_head(self.decoder(fused))


class UpsampleByTwo(nn.Module):
    """A decoder block of BBUnet for export: doubles the size by a constant scale.

    segmentation_models_pytorch resizes to the size of the next feature map, which turns into a
    chain of Shape operators in ONNX. For multiples of 32 the factor is always exactly two.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        if skip is not None:
            x = self.block.attention1(torch.cat([x, skip], dim=1))
        return self.block.attention2(self.block.conv2(self.block.conv1(x)))


class Exportable(nn.Module):
    """BBUnet as it is traced for ONNX: the same weights and the same result, a simpler graph."""

    def __init__(self, model: BBUnet) -> None:
        super().__init__()
        self.model = model
        self.blocks = nn.ModuleList(UpsampleByTwo(b) for b in model.decoder.blocks)

    def forward(self, pre: Tensor, post: Tensor, dem: Tensor) -> Tensor:
        m = self.model
        before, after, terrain = m.encoder(pre), m.encoder(post), m.dem_encoder(dem)
        fused = [m.fusion_module[s](before[s], after[s], terrain[s]) for s in range(1, len(after))]
        x, skips = fused[-1], [*fused[-2::-1], None]
        for block, skip in zip(self.blocks, skips, strict=True):
            x = block(x, skip)
        return m.segmentation_head(x)
