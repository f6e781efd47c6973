"""Training goes on from an exported network, whose batch norms were folded away."""

from pathlib import Path

import numpy as np
import pytest
import torch

from test_landslide4sense import made

from scarp_models import networks, warmstart
from scarp_models.bbunet import BANDS, BBUnet
from scarp_models.data import PatchSet
from scarp_models.export import export
from scarp_models.landslide4sense import CHANNELS, DIVISORS


@pytest.mark.parametrize("name", ["bbunet", "bbunet-lite"])
def test_an_exported_network_comes_back_with_batch_norms(name: str, network: BBUnet, patches: Path, tmp_path: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    if name != "bbunet":
        torch.manual_seed(2)
        network = networks.get(name).build()
        network(*batch.inputs())  # so that its running moments are those of something
        network.eval()
    exported = export(networks.get(name), network, tmp_path / f"{name}.onnx", {}, half=False).path
    restored = warmstart.from_onnx(exported, [batch])
    with torch.no_grad():
        expected = network(*batch.inputs())
        torch.testing.assert_close(restored(*batch.inputs()), expected, atol=1e-3, rtol=1e-3)
        # In training mode a batch norm uses the batch's own moments: those that were put in.
        trained = restored.train()(*batch.inputs())
    torch.testing.assert_close(trained, expected, atol=2e-2, rtol=2e-2)


def test_an_exported_u_net_comes_back_with_batch_norms(patches: Path, tmp_path: Path) -> None:
    torch.manual_seed(4)
    unet = networks.get("unet-resnet34").build()
    sample = made([1, 2, 4, 5], eight_bit=False).batch(np.arange(4))
    unet(*sample.inputs())
    exported = export(networks.get("unet-resnet34"), unet.eval(), tmp_path / "unet.onnx", {}, half=False).path
    assert warmstart.network_in(exported) == "unet-resnet34"
    with pytest.raises(ValueError, match="unet-resnet34, which is not bitemporal"):
        warmstart.from_file(exported, PatchSet(patches))
    restored = warmstart.from_onnx(exported, [sample])
    with torch.no_grad():
        torch.testing.assert_close(restored(*sample.inputs()), unet(*sample.inputs()), atol=1e-3, rtol=1e-3)


def test_a_single_date_u_net_begins_with_what_a_bbunet_sees(network: BBUnet) -> None:
    unet = networks.get("unet-resnet34").build()
    taken = warmstart.single_date(network.eval(), unet)
    assert "encoder.conv1.weight" in taken and any(k.startswith("decoder.") for k in taken)
    divisors = torch.from_numpy(DIVISORS).float()
    surface = torch.rand(2, 12, 64, 64)  # reflectance in BBUnet's order of bands, without B8A and in a sky of none
    surface[:, BANDS.index("B8A")] = 0
    image = torch.zeros(2, 14, 64, 64)
    for channel, name in enumerate(CHANNELS):
        if name in BANDS:
            image[:, channel] = surface[:, BANDS.index(name)] * 10000 / divisors[channel]
    with torch.no_grad():
        expected, seen = network.encoder(surface), unet.eval().encoder(image)
    # The deeper ResNet's further blocks pass their input on, so far as they have none of their own.
    torch.testing.assert_close(seen[1], expected[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen[5], expected[5], atol=1e-4, rtol=1e-4)


def test_only_u_nets_on_a_resnet_begin_so(network: BBUnet) -> None:
    with pytest.raises(ValueError, match="unet-resnet34"):
        warmstart.single_date(network, networks.get("unet-vgg16").build())


def test_what_was_not_folded_is_not_begun_with(tmp_path: Path) -> None:
    clouds = networks.get("clouds")
    exported = export(clouds, clouds.build().eval(), tmp_path / "clouds.onnx", {}, half=False).path
    with pytest.raises(ValueError, match="it holds clouds"):
        warmstart.from_onnx(exported, [])
