"""SEIFNet: spatiotemporal enhancement and interlevel fusion (Huang et al., IEEE TGRS 2024, 10.1109/TGRS.2024.3360516).

A siamese ResNet-18; at each of four scales the two dates are joined by their difference, weighted
along rows and columns, and by a convolution of both; from coarse to fine the joined maps are
blended by channel attention and refined; the sum of all scales is classified.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from ..bbunet import BANDS

CHANNELS = (64, 128, 256, 512)


class SeifNet(nn.Module):
    """Maps (pre N,12,H,W; post N,12,H,W) to logits N,2,H,W; H and W are multiples of 32.

    The state dict has the published layout, with the parts that its forward pass never uses:
    ``classifier``, ``encoder.fc`` and ``ACFF*.conv``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 2, 3, padding=1)
        )
        self.encoder = resnet18()
        self.encoder.conv1 = nn.Conv2d(len(BANDS), 64, 7, stride=2, padding=3, bias=False)
        self.diff1, self.diff2, self.diff3, self.diff4 = (Difference(c) for c in CHANNELS)
        self.ACFF3, self.ACFF2, self.ACFF1 = (Blend(CHANNELS[i], CHANNELS[i + 1]) for i in (2, 1, 0))
        self.sam_p4, self.sam_p3, self.sam_p2, self.sam_p1 = (Refine(c) for c in reversed(CHANNELS))
        self.conv4, self.conv3, self.conv2 = (nn.Conv2d(c, 64, 1) for c in (512, 256, 128))
        self.conv_final1 = nn.Conv2d(64, 2, 1)

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        before, after = self._features(pre), self._features(post)
        joins = (self.diff1, self.diff2, self.diff3, self.diff4)
        d1, d2, d3, d4 = (join(b, a) for join, b, a in zip(joins, before, after, strict=True))
        p4 = self.sam_p4(d4)
        p3 = self.sam_p3(self.ACFF3(d3, p4))
        p2 = self.sam_p2(self.ACFF2(d2, p3))
        p1 = self.sam_p1(self.ACFF1(d1, p2))
        total = p1 + _enlarge(self.conv2(p2), 2) + _enlarge(self.conv3(p3), 4) + _enlarge(self.conv4(p4), 8)
        return _enlarge(self.conv_final1(total), 4)

    def _features(self, image: Tensor) -> list[Tensor]:
        """Maps at 1/4, 1/8, 1/16 and 1/32."""
        e = self.encoder
        x = e.maxpool(e.relu(e.bn1(e.conv1(image))))
        maps = []
        for layer in (e.layer1, e.layer2, e.layer3, e.layer4):
            x = layer(x)
            maps.append(x)
        return maps


# The published order is everywhere resize, then 1×1 convolution. Both are linear and a resize's weights
# sum to one, so the other way round is the same, on fewer pixels.
def _enlarge(x: Tensor, factor: int, align_corners: bool = False) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=align_corners)


class Difference(nn.Module):
    """Joins two dates: |before − after| with weights by row and column, plus a convolution of both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Conv3 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.BN1 = nn.BatchNorm2d(2 * channels)
        self.Conv1 = nn.Conv2d(2 * channels, channels, 1)
        self.BN2 = nn.BatchNorm2d(channels)
        self.coAtt_1 = RowsAndColumns(channels)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        both = torch.cat([before, after], dim=1)
        both = torch.relu(self.BN2(self.Conv1(torch.relu(self.BN1(self.Conv3(both))))))
        return self.coAtt_1(torch.abs(before - after)) + both


class RowsAndColumns(nn.Module):
    """Coordinate attention (arXiv 2103.02907): weights from the means over rows and over columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(8, channels // 16)
        self.conv1 = nn.Conv2d(channels, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv_h = nn.Conv2d(hidden, channels, 1)
        self.conv_w = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.mean(dim=3, keepdim=True), x.mean(dim=2, keepdim=True)
        if self.training:  # statistics of rows and columns together, as published
            both = self._hidden(torch.cat([rows, columns.transpose(2, 3)], dim=2))
            rows, columns = both[:, :, : x.shape[2]], both[:, :, x.shape[2] :].transpose(2, 3)
        else:
            rows, columns = self._hidden(rows), self._hidden(columns)
        return x * torch.sigmoid(self.conv_w(columns)) * torch.sigmoid(self.conv_h(rows))

    def _hidden(self, x: Tensor) -> Tensor:
        return nn.functional.hardswish(self.bn1(self.conv1(x)))


class Blend(nn.Module):
    """Mixes a fine map with the next coarser one by weights per channel."""

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(coarse, fine, 1)
        self.conv = nn.Conv2d(2 * fine, fine, 1)  # published, never used
        self.BN = nn.BatchNorm2d(fine)
        self.ca = ChannelWeights(fine)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        coarse = torch.relu(self.BN(_enlarge(self.conv1(coarse), 2, align_corners=True)))
        weight = self.ca(coarse + fine)
        return fine * weight + coarse * (1 - weight)


class ChannelWeights(nn.Module):
    """One weight a channel from its mean and its maximum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return _channel_weights(x, self.fc1, self.fc2)


def _channel_weights(x: Tensor, narrow: nn.Module, widen: nn.Module) -> Tensor:
    mean, highest = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return torch.sigmoid(widen(torch.relu(narrow(mean))) + widen(torch.relu(narrow(highest))))


class Refine(nn.Module):
    """Channel and spatial attention (CBAM, arXiv 1807.06521), then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cbam = Cbam(channels)
        self.conv2 = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.cbam(x))


class Cbam(nn.Module):
    """Weights each channel, then each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel_attention = _SharedPerceptron(channels)
        self.spatial_attention = _SpatialConv()

    def forward(self, x: Tensor) -> Tensor:
        narrow, _, widen = self.channel_attention.shared_MLP
        x = _channel_weights(x, narrow, widen) * x
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.spatial_attention.conv2d(summary)) * x


class _SharedPerceptron(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shared_MLP = nn.Sequential(
            nn.Conv2d(channels, channels // 16, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels // 16, channels, 1, bias=False),
        )


class _SpatialConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(2, 1, 7, padding=3)
