"""BIT: bitemporal image transformer, ``base_transformer_pos_s4_dd8`` (arXiv 2103.00208).

A ResNet-18 turns each date into a map of 32 channels; four semantic tokens are pooled from each;
a transformer encoder relates the eight tokens; a transformer decoder of eight layers writes them
back into every pixel; the difference of the two maps is classified.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from ..bbunet import BANDS

WIDTH, TOKENS, HEADS, HEAD_WIDTH, DECODER_DEPTH = 32, 4, 8, 64, 8


class Bit(nn.Module):
    """Maps (pre N,12,H,W; post N,12,H,W) to logits N,2,H,W; H and W are multiples of 8.

    The state dict has the published layout, which carries two parts of the ResNet that are never
    run: ``encoder.layer4`` and ``encoder.fc``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = resnet18()
        self.encoder.conv1 = nn.Conv2d(len(BANDS), 64, 7, stride=2, padding=3, bias=False)
        # The published backbone stays at 1/8 from layer2 on and, for a ResNet-18, does not dilate instead.
        for layer in (self.encoder.layer3, self.encoder.layer4):
            layer[0].conv1.stride = layer[0].downsample[0].stride = (1, 1)
        self.conv_pred = nn.Conv2d(256, WIDTH, 3, padding=1)
        self.conv_a = nn.Conv2d(WIDTH, TOKENS, 1, bias=False)
        self.pos_embedding = nn.Parameter(torch.randn(1, 2 * TOKENS, WIDTH))
        self.transformer = _Layers(SelfAttention, depth=1)
        self.transformer_decoder = _Layers(CrossAttention, depth=DECODER_DEPTH)
        self.classifier = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, 2, 3, padding=1),
        )

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        before, after = self._features(pre), self._features(post)
        tokens = torch.cat([self._tokens(before), self._tokens(after)], dim=1) + self.pos_embedding
        for attention, mlp in self.transformer.layers:
            tokens = mlp(attention(tokens))
        before = self._write(before, tokens[:, :TOKENS])
        after = self._write(after, tokens[:, TOKENS:])
        difference = nn.functional.interpolate(
            torch.abs(before - after), scale_factor=4.0, mode="bilinear", align_corners=False
        )
        return self.classifier(difference)

    def _features(self, image: Tensor) -> Tensor:
        """N,12,H,W → N,32,H/4,W/4."""
        e = self.encoder
        x = e.maxpool(e.relu(e.bn1(e.conv1(image))))
        x = e.layer3(e.layer2(e.layer1(x)))
        return self.conv_pred(nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))

    def _tokens(self, x: Tensor) -> Tensor:
        """Pools N,32,H,W into N,4,32 with one learned spatial weighting a token."""
        weights = torch.softmax(self.conv_a(x).flatten(2), dim=-1)
        return weights @ x.flatten(2).transpose(1, 2)

    def _write(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Lets every pixel of N,32,H,W look at one date's tokens."""
        pixels = x.flatten(2).transpose(1, 2)
        for attention, mlp in self.transformer_decoder.layers:
            pixels = mlp(attention(pixels, tokens))
        return pixels.transpose(1, 2).reshape(x.shape)


class _Layers(nn.Module):
    """Pairs of an attention and a two-layer perceptron, each behind a layer norm and beside a shortcut."""

    def __init__(self, attention: type[nn.Module], depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([Shortcut(Normed(attention())), Shortcut(Normed(Perceptron()))]) for _ in range(depth)
        )


class Shortcut(nn.Module):
    """x + fn(x, …)."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        return self.fn(x, *others) + x


class Normed(nn.Module):
    """fn of its inputs after one shared layer norm."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.fn = fn

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.fn(*(self.norm(x) for x in inputs))


class Perceptron(nn.Module):
    """32 → 64 → 32 for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Dropout(0.0), nn.Linear(2 * WIDTH, WIDTH), nn.Dropout(0.0)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class SelfAttention(nn.Module):
    """Multi-head attention among the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(WIDTH, 3 * HEADS * HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(HEADS * HEAD_WIDTH, WIDTH), nn.Dropout(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.to_out(_attend(*self.to_qkv(x).chunk(3, dim=-1)))


class CrossAttention(nn.Module):
    """Multi-head attention of pixels to tokens."""

    def __init__(self) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.to_q = nn.Linear(WIDTH, inner, bias=False)
        self.to_k = nn.Linear(WIDTH, inner, bias=False)
        self.to_v = nn.Linear(WIDTH, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, WIDTH), nn.Dropout(0.0))

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        return self.to_out(_attend(self.to_q(x), self.to_k(tokens), self.to_v(tokens)))


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot products of N,L,8·64. The published scale is that of the model's width, 32, not of a head's."""

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (HEADS, HEAD_WIDTH)).transpose(1, 2)

    q, k, v = heads(q), heads(k), heads(v)
    weights = torch.softmax(q @ k.transpose(-1, -2) * WIDTH**-0.5, dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)
