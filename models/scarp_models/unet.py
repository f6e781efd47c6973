"""The decoder of segmentation_models_pytorch's U-Net, run by constant factors."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, cat, nn


def decode(decoder: UnetDecoder, features: Sequence[Tensor]) -> Tensor:
    """Gives the decoder's N,C,H,W output for an encoder's ``features``: the input itself, then the maps
    at 1/2, 1/4, 1/8, 1/16 and 1/32 of its size.

    ``UnetDecoder.forward`` does the same by resizing to the size of the next map, which becomes a
    chain of Shape operators in ONNX. For multiples of 32 the factor is always two. Maps without
    channels, which transformer encoders put in place of the scale 1/2 that they lack, are left out.
    """
    skips = [f if f.shape[1] > 0 else None for f in features[-2:0:-1]]
    x = decoder.center(features[-1])
    for block, skip in zip(decoder.blocks, [*skips, None], strict=True):
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        if skip is not None:
            x = block.attention1(cat([x, skip], dim=1))
        x = block.attention2(block.conv2(block.conv1(x)))
    return x
