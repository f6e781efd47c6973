"""Every network: shapes, its exported file against PyTorch, its manifest."""

import copy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from scarp_models import manifest, networks
from scarp_models.export import export, restore_weights, store_weights_as_half
from scarp_models.networks import Network


def inputs(network: Network, n: int, height: int, width: int, seed: int = 0) -> list[torch.Tensor]:
    """Smooth images, as land is: noise would be averaged away, and what is left of it blown up by batch norms."""
    generator = torch.Generator().manual_seed(seed)
    coarse = [torch.randn(n, len(c), height // 16, width // 16, generator=generator) for c in network.inputs.values()]
    return [nn.functional.interpolate(x, size=(height, width), mode="bicubic") for x in coarse]


@torch.no_grad()
def calibrated(network: Network) -> nn.Module:
    """Random weights, batch norms that fit them, and logits with a deviation of about one, as trained ones have."""
    torch.manual_seed(2)
    torch.set_num_threads(1)
    model = network.build().train()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    model(*inputs(network, 2, 64, 64, seed=1))
    for norm in norms:  # of a few deep values the variance may come out as nearly nothing
        norm.running_var.clamp_min_(float(norm.running_var.mean()))
    model.eval()
    last = [m for m in model.modules() if isinstance(m, nn.Conv2d)][-1] if network.name != "segformer-mit-b2" else model.decode_head.classifier
    logits = model(*inputs(network, 2, 64, 64))
    last.weight.data /= float(logits.std()) + 1e-6
    return model


@pytest.mark.parametrize("name", networks.names())
def test_onnx_runtime_agrees_with_pytorch(name: str, tmp_path: Path) -> None:
    network = networks.get(name)
    model = calibrated(network)
    exported = export(network, model, tmp_path / f"{name}.onnx", {"name": name}, half=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(exported.path), options, providers=["CPUExecutionProvider"])
    exact = copy.deepcopy(model).double()
    for shape in ((2, 64, 64), (1, 64, 96)):
        feeds = inputs(network, *shape)
        with torch.no_grad():
            expected, truth = model(*feeds).numpy(), exact(*(x.double() for x in feeds)).numpy()
        assert expected.shape == (shape[0], network.classes, *shape[1:])
        assert 0.05 < expected.std() < 20
        given = session.run(["logits"], {n: x.numpy() for n, x in zip(network.inputs, feeds, strict=True)})[0]
        # Random weights blow rounding up in the deepest networks: there PyTorch itself is further than 1e-4 from
        # what it gives in double precision, and ONNX Runtime may be as far, but no further.
        rounding = np.abs(expected - truth).max()
        np.testing.assert_allclose(given, truth, atol=max(1e-4, 1.2 * rounding), rtol=0)
        assert rounding < 5e-3, "rounding that could hide an error"
    document = manifest.build(network, "some-name", "1.0.0", "A title", exported, {})
    assert document["kind"] == network.kind
    assert [i["tensor"] for i in document["inputs"]] == list(network.inputs)
    assert [[c.get("band") or c["terrain"] for c in i["channels"]] for i in document["inputs"]] == [
        list(c) for c in network.inputs.values()
    ]
    assert document["output"]["activation"] == ("sigmoid" if network.classes == 1 else "softmax")


def test_an_unknown_network_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no network is called 'unet'.*bbunet-lite"):
        networks.get("unet")


def test_lite_and_clouds_are_small() -> None:
    for name, most in (("bbunet-lite", 6e6), ("clouds", 1e6)):
        assert sum(p.numel() for p in networks.get(name).build().parameters()) < most


def test_weights_stored_as_half_come_back_rounded(tmp_path: Path) -> None:
    network = networks.get("clouds")
    path = export(network, calibrated(network), tmp_path / "clouds.onnx", {}, half=False).path
    graph = onnx.load(path)
    exact = {w.name: onnx.numpy_helper.to_array(w) for w in graph.graph.initializer}
    store_weights_as_half(graph)
    assert any(n.op_type == "Cast" for n in graph.graph.node)
    restore_weights(graph)
    assert not any(n.op_type == "Cast" for n in graph.graph.node)
    for weight in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        np.testing.assert_allclose(values, exact[weight.name], rtol=1e-3, atol=1e-7)


def test_manifests_state_what_was_trained_to_be_absent(tmp_path: Path) -> None:
    network = networks.get("unet-resnet34")
    exported = manifest.Exported(tmp_path / "x.onnx", "0" * 64, 1, 1)

    def channels(about: dict) -> dict:
        document = manifest.build(network, "x", "1.0.0", "X", exported, about)
        return {c.get("band") or c["terrain"]: c for c in document["inputs"][0]["channels"]}

    whole = channels({})
    assert not any("missing" in c for c in whole.values())
    assert whole["B10"]["divisor"] == 9.04787384 and whole["slope"]["round"]
    assert channels({"absent": {"B10": 0}})["B10"]["missing"] == {"fill": 0}
