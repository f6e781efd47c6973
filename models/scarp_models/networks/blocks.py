"""Parts of the small networks of our own: plain convolutions that run fast as float32 and as int8."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> None:
        padding = (kernel - stride + 1) // 2  # keeps the size, or divides it by the stride
        parts = [nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, bias=False), nn.BatchNorm2d(out)]
        super().__init__(*parts, *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut, as in ResNet-18."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNorm(channels, out, stride=stride)
        self.second = ConvNorm(out, out, relu=False)
        same = channels == out and stride == 1
        self.shortcut = nn.Identity() if same else ConvNorm(channels, out, kernel=1, stride=stride, relu=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.second(self.first(x)) + self.shortcut(x))


class Pyramid(nn.Module):
    """An encoder: a strided stem, then stages of residual blocks, each at half the size of the one before.

    Gives the maps of all stages, finest (1/2) first.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], depth: int) -> None:
        super().__init__()
        self.stem = ConvNorm(channels, widths[0], kernel=4, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(a, b, stride=2), *(Residual(b, b) for _ in range(depth - 1)))
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = [self.stem(image)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


def enlarge(x: Tensor) -> Tensor:
    """Doubles height and width."""
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


class SubpixelHead(nn.Sequential):
    """Gives logits at twice the size of a map: four a class and pixel, put side by side."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(nn.Conv2d(channels, 4 * classes, 3, padding=1), nn.PixelShuffle(2))
