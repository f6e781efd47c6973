"""SegFormer MiT-B2 (arXiv 2105.15203), with the parameter names of Hugging Face's ``SegformerForSemanticSegmentation``.

That is the implementation that DeepSlide publishes weights of. Four stages of transformer blocks at
1/4 to 1/32 of the input's size, whose keys and values come from a reduced map; the decoder brings
all stages to one width and to 1/4, adds them up and classifies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

WIDTHS, DEPTHS, HEADS, REDUCTIONS = (64, 128, 320, 512), (3, 4, 6, 3), (1, 2, 5, 8), (8, 4, 2, 1)
DECODER_WIDTH = 768
DROP_PATH = 0.1


class Segformer(nn.Module):
    """Maps image N,channels,H,W to logits N,1,H,W; H and W are multiples of 32.

    The network itself ends at 1/4 of the size. DeepSlide resizes its probabilities; here, as in the
    SegFormer paper, the logits are resized, which only moves values between those of neighbours.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.segformer = _Holder(encoder=Encoder(channels))
        self.decode_head = Decoder()
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        logits = self.decode_head(self.segformer.encoder(image))
        return nn.functional.interpolate(logits, scale_factor=4.0, mode="bilinear", align_corners=False)


class _Holder(nn.Module):
    """Gives modules the names that they are published under."""

    def __init__(self, /, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    """Gives the four stages' maps, N,C,H/s,W/s for s of 4, 8, 16 and 32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        sources = (channels, *WIDTHS[:-1])
        drops = torch.linspace(0, DROP_PATH, sum(DEPTHS), device="cpu").tolist()
        self.patch_embeddings = nn.ModuleList(
            Embedding(source, width, kernel=7 if i == 0 else 3, stride=4 if i == 0 else 2)
            for i, (source, width) in enumerate(zip(sources, WIDTHS, strict=True))
        )
        self.block = nn.ModuleList(
            nn.ModuleList(Block(WIDTHS[i], HEADS[i], REDUCTIONS[i], drops[sum(DEPTHS[:i]) + j]) for j in range(DEPTHS[i]))
            for i in range(len(WIDTHS))
        )
        self.layer_norm = nn.ModuleList(nn.LayerNorm(width) for width in WIDTHS)

    def forward(self, image: Tensor) -> list[Tensor]:
        maps, x = [], image
        for embedding, blocks, norm in zip(self.patch_embeddings, self.block, self.layer_norm, strict=True):
            x = embedding.proj(x)
            size = x.shape[2:]
            tokens = embedding.layer_norm(_tokens(x))
            for block in blocks:
                tokens = block(tokens, size)
            x = _image(norm(tokens), size)
            maps.append(x)
        return maps


def _tokens(x: Tensor) -> Tensor:
    """N,C,H,W → N,H·W,C."""
    return x.flatten(2).transpose(1, 2)


def _image(tokens: Tensor, size: torch.Size) -> Tensor:
    """N,H·W,C → N,C,H,W."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], size[0], size[1])


class Embedding(nn.Module):
    """An overlapping strided convolution and a layer norm (run by the encoder)."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2)
        self.layer_norm = nn.LayerNorm(width)


class Block(nn.Module):
    """Attention, then a perceptron with a depthwise convolution, each after a layer norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, reduction: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.layer_norm_1 = nn.LayerNorm(width)
        attention = Attention(width, heads, reduction)
        self.attention = _Holder(self=attention, output=_Holder(dense=nn.Linear(width, width)))
        self.layer_norm_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, tokens: Tensor, size: torch.Size) -> Tensor:
        attended = self.attention.output.dense(self.attention.self(self.layer_norm_1(tokens), size))
        tokens = tokens + self._drop_path(attended)
        return tokens + self._drop_path(self.mlp(self.layer_norm_2(tokens), size))

    def _drop_path(self, x: Tensor) -> Tensor:
        """Leaves the branch out for some samples of a training batch."""
        if not self.training or self.drop == 0:
            return x
        keep = 1 - self.drop
        return x * (torch.rand(x.shape[0], 1, 1, device=x.device) < keep) / keep


class Attention(nn.Module):
    """Multi-head attention; keys and values come from a map reduced by a strided convolution."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, stride=reduction)
            self.layer_norm = nn.LayerNorm(width)
        else:
            self.sr = None

    def forward(self, tokens: Tensor, size: torch.Size) -> Tensor:
        source = tokens if self.sr is None else self.layer_norm(_tokens(self.sr(_image(tokens, size))))
        q, k, v = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection, x in ((self.query, tokens), (self.key, source), (self.value, source))
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1)
        return (weights @ v).transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """C → 4 C, a 3×3 depthwise convolution, → C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 4 * width
        self.dense1 = nn.Linear(width, hidden)
        self.dwconv = _Holder(dwconv=nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden))
        self.dense2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, size: torch.Size) -> Tensor:
        hidden = _tokens(self.dwconv.dwconv(_image(self.dense1(tokens), size)))
        return self.dense2(nn.functional.gelu(hidden))


class Decoder(nn.Module):
    """Brings the stages to 1/4 of the input's size and classifies their sum.

    Published as resize, concatenate, 1×1 convolution. A 1×1 convolution of a concatenation is a sum of
    convolutions and commutes with the resize, so each stage is convolved before it is enlarged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear_c = nn.ModuleList(_Holder(proj=nn.Linear(width, DECODER_WIDTH)) for width in WIDTHS)
        self.linear_fuse = nn.Conv2d(len(WIDTHS) * DECODER_WIDTH, DECODER_WIDTH, 1, bias=False)
        self.batch_norm = nn.BatchNorm2d(DECODER_WIDTH)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Conv2d(DECODER_WIDTH, 1, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        weights = self.linear_fuse.weight.chunk(len(WIDTHS), dim=1)[::-1]  # published coarsest first
        total = None
        for i, (stage, weight) in enumerate(zip(maps, weights, strict=True)):
            x = _image(self.linear_c[i].proj(_tokens(stage)), stage.shape[2:])
            x = nn.functional.conv2d(x, weight)
            if i > 0:
                x = nn.functional.interpolate(x, scale_factor=float(2**i), mode="bilinear", align_corners=False)
            total = x if total is None else total + x
        return self.classifier(self.dropout(torch.relu(self.batch_norm(total))))
