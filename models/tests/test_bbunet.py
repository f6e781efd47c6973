import pytest
import torch

from scarp_models.bbunet import BBUnet


def inputs(n: int, height: int, width: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    return tuple(torch.rand(n, c, height, width, generator=generator) for c in (12, 12, 4))


def test_state_dict_has_the_layout_of_published_checkpoints(network: BBUnet) -> None:
    keys = set(network.state_dict())
    prefixes = ("encoder.", "dem_encoder.", "fusion_module.", "decoder.", "segmentation_head.")
    assert all(k.startswith(prefixes) for k in keys)
    for scale in range(1, 6):
        at = f"fusion_module.{scale}.fusion"
        assert {f"{at}.{i}.weight" for i in (0, 1, 3, 4)} <= keys
        assert f"{at}.0.bias" in keys and f"{at}.4.running_var" in keys
    assert not any(k.startswith(("fusion_module.0.", "fusion_module.6.")) for k in keys)
    assert {
        "encoder.conv1.weight",
        "encoder.layer4.1.bn2.running_mean",
        "dem_encoder.layer2.0.downsample.0.weight",
        "decoder.blocks.0.conv1.0.weight",
        "decoder.blocks.4.conv2.1.running_var",
        "decoder.blocks.3.attention1.attention.cSE.1.weight",
        "decoder.blocks.0.attention2.attention.sSE.0.bias",
        "segmentation_head.0.weight",
    } <= keys


def test_weights_have_the_published_shapes(network: BBUnet) -> None:
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    assert shapes["encoder.conv1.weight"] == (64, 12, 7, 7)
    assert shapes["dem_encoder.conv1.weight"] == (64, 4, 7, 7)
    assert shapes["fusion_module.5.fusion.0.weight"] == (512, 1024, 3, 3)
    assert shapes["decoder.blocks.0.conv1.0.weight"] == (256, 768, 3, 3)
    assert shapes["decoder.blocks.4.conv1.0.weight"] == (16, 32, 3, 3)
    assert shapes["segmentation_head.0.weight"] == (1, 16, 3, 3)
    assert 35.0e6 < sum(p.numel() for p in network.parameters()) < 35.4e6


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 32, 96)])
def test_output_has_one_logit_a_pixel(network: BBUnet, shape: tuple[int, int, int]) -> None:
    with torch.no_grad():
        assert network(*inputs(*shape)).shape == (shape[0], 1, *shape[1:])


def test_one_encoder_serves_both_dates(network: BBUnet) -> None:
    """With equal dates there is no change: whatever the image shows cancels out, only terrain is left."""
    pre, post, dem = inputs(1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(pre, pre, dem), network(post, post, dem))
        assert not torch.allclose(network(pre, post, dem), network(post, pre, dem))
