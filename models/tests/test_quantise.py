"""int8 variants: what is quantised, what it costs in accuracy, and the command."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from scarp_models import manifest, networks
from scarp_models.__main__ import main
from scarp_models.data import PatchSet
from scarp_models.export import export

from conftest import make_patches
from test_networks import calibrated


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lite BBUnet with float16-stored weights, and its manifest."""
    folder = tmp_path_factory.mktemp("lite")
    network = networks.get("bbunet-lite")
    exported = export(network, calibrated(network), folder / "lite.onnx", {"name": "lite"})
    about = {"provenance": {"metrics": [{"name": "F1", "value": 0.9, "split": "of the float model"}]}}
    manifest.write(manifest.build(network, "lite", "1.2.3", "Lite", exported, about), folder / "manifest.yaml")
    return folder / "manifest.yaml"


def logits(path: Path, feeds: list[torch.Tensor]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {n: x.numpy() for n, x in zip(("pre", "post", "dem"), feeds, strict=True)})[0]


def test_a_served_model_becomes_an_int8_one(served: Path, tmp_path: Path) -> None:
    make_patches(tmp_path / "patches", seed=3)
    out = tmp_path / "int8"
    assert main(["quantise", str(served), "--calibration", str(tmp_path / "patches"), "--patches", "4", "--out", str(out)]) == 0
    document = manifest.verify(out / "manifest.yaml")
    assert (document["name"], document["version"]) == ("lite-int8", "1.2.3")
    assert document["provenance"]["metrics"] == []  # those were the float model's
    path = out / document["model"]["file"]
    assert path.stat().st_size < 0.75 * (served.parent / "lite.onnx").stat().st_size
    graph = onnx.load(path)
    assert {p.key: p.value for p in graph.metadata_props}["precision"] == "int8"
    stored = {w.name: w for w in graph.graph.initializer}
    convolutions = [n for n in graph.graph.node if n.op_type == "Conv"]
    sources = {n.output[0]: n for n in graph.graph.node}
    for node in convolutions:  # each from int8 weights, one scale a channel
        weight = sources[node.input[1]]
        assert weight.op_type == "DequantizeLinear"
        assert stored[weight.input[0]].data_type == onnx.TensorProto.INT8
        assert stored[weight.input[1]].dims[0] == stored[weight.input[0]].dims[0]

    batch = PatchSet(tmp_path / "patches").batch(np.array([2, 5]))
    exact, rounded = (logits(p, list(batch.inputs())) for p in (served.parent / "lite.onnx", path))
    # A tenth and less with VNNI; without, sums of two products saturate at 16 bits, which random weights suffer from most.
    assert np.abs(rounded - exact).mean() < 0.25 * exact.std()
