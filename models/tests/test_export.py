import argparse
import os
import pickle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml

from scarp_models import checkpoint, manifest, networks
from scarp_models.__main__ import main
from scarp_models.bbunet import BBUnet
from scarp_models.export import export, fold_batch_norms


@pytest.fixture(scope="module")
def exported(network: BBUnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("export") / "bbunet.onnx"
    return export(networks.get("bbunet"), network, target, {"name": "test"}).path


def run(path: Path, feeds: list[torch.Tensor]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = ("pre", "post", "dem")
    return session.run(["logits"], {n: x.numpy() for n, x in zip(names, feeds, strict=True)})[0]


def feeds(n: int, height: int, width: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(n, c, height, width, generator=generator) for c in (12, 12, 4)]


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 32, 96), (2, 160, 128)])
def test_onnx_runtime_agrees_with_pytorch(network: BBUnet, exported: Path, shape: tuple[int, int, int]) -> None:
    """The reference has its weights rounded as they are stored, so what is left is arithmetic."""
    stored = fold_batch_norms(network, tuple(feeds(1, 64, 64)))
    for weight in stored.parameters():
        if weight.numel() >= 256:
            weight.data = weight.data.half().float()
    with torch.no_grad():
        expected = stored(*feeds(*shape)).numpy()
    np.testing.assert_allclose(run(exported, feeds(*shape)), expected, atol=1e-4)


def test_folding_batch_norms_changes_nothing(network: BBUnet) -> None:
    with torch.no_grad():
        torch.testing.assert_close(
            fold_batch_norms(network, tuple(feeds(1, 64, 64)))(*feeds(1, 64, 64)), network(*feeds(1, 64, 64)), atol=1e-4, rtol=1e-4
        )


def test_file_is_small_and_says_what_it_is(exported: Path) -> None:
    assert exported.stat().st_size < 75e6
    graph = onnx.load(exported)
    written = {p.key: p.value for p in graph.metadata_props}
    assert written == {"name": "test", "network": "bbunet", "kind": "bitemporal", "precision": "float16 weights"}
    assert "BatchNormalization" not in {n.op_type for n in graph.graph.node}


def test_published_checkpoint_becomes_a_served_model(network: BBUnet, tmp_path: Path) -> None:
    published = {
        "state_dict": network.state_dict(),
        "hparams": argparse.Namespace(lr=1e-3, model="bbunet"),
        "val_metrics": {"iou": np.float64(0.5)},
        "epoch": 99,
    }
    torch.save(published, tmp_path / "published.pt")
    out = tmp_path / "published"
    arguments = ["export", "--checkpoint", str(tmp_path / "published.pt"), "--out", str(out), "--name", "published"]
    assert main(arguments) == 0
    document = manifest.verify(out / "manifest.yaml")
    assert [c["band"] for c in document["inputs"][0]["channels"]][8] == "B8A"
    assert document["licence"]["spdx"] == "LicenseRef-unknown"


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("/nonexistent/never",)


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hparams": Malicious()}, tmp_path / "bad.pt")
    with pytest.raises(checkpoint.CheckpointError, match="bad.pt"):
        checkpoint.read(tmp_path / "bad.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.read(tmp_path / "plain.pt")


def test_checkpoint_of_another_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save({"state_dict": {"fc.weight": torch.zeros(2)}}, tmp_path / "other.pt")
    assert main(["export", "--checkpoint", str(tmp_path / "other.pt"), "--out", str(tmp_path / "x")]) == 1
    assert "load bbunet" in capsys.readouterr().err


def test_manifest_is_checked_with_every_reason_at_once(exported: Path) -> None:
    with pytest.raises(ValueError) as error:
        manifest.check({"schema": 2, "name": "Not A Name"})
    for part in ("schema:", "name:", "'inputs' is a required", "'threshold' is a required"):
        assert part in str(error.value)


def test_shipped_models_are_in_order() -> None:
    for path in Path(__file__).resolve().parents[1].glob("*/manifest.yaml"):
        document = manifest.verify(path)
        card = document["provenance"].get("card")
        assert card is None or (path.parent / card).exists()
        assert yaml.safe_load(path.read_text())["name"] == path.parent.name
