"""Published checkpoints, written as their projects write them, become served models; hostile ones don't."""

import argparse
import collections
import pickle
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from scarp_models import checkpoint, imports, manifest, networks
from scarp_models.__main__ import main
from scarp_models.bbunet import BANDS


def published(name: str, path: Path, **settings: object) -> nn.Module:
    """A checkpoint as the training script of arXiv 2405.20161 saves it."""
    torch.manual_seed(4)
    model = networks.get(name).build().eval()
    hparams = argparse.Namespace(
        **{"MODEL": "unet", "BANDS": list(BANDS), "THRESHOLD": 0.5, "LR": 1e-3, "BETAS": [0.9, 0.999], "ADD_DEM": None}
        | settings
    )
    metrics = {"avg_loss": np.float64(0.31), "iou": torch.tensor([0.9, 0.44]), "f1": torch.tensor(0.6111)}
    content = {"state_dict": model.state_dict(), "hparams": hparams, "val_metrics": metrics, "epoch": 37}
    torch.save(content | {"train_metrics": {"avg_loss": 0.2}}, path)
    return model


def deepslide(name: str, path: Path) -> nn.Module:
    """A checkpoint as DeepSlide saves it: a Lightning module's state dict, with the wrapper that holds the network."""
    torch.manual_seed(4)
    model = networks.get(name).build().eval()
    wrapped = "model." if name in ("unet-mit-b1", "segformer-mit-b2") else "model.model."
    state = collections.OrderedDict((wrapped + k, v) for k, v in model.state_dict().items())
    state["wce.weight"] = torch.tensor([5.0])
    torch.save(state, path)
    return model


def run(folder: Path, feeds: list[torch.Tensor]) -> np.ndarray:
    document = manifest.verify(folder / "manifest.yaml")
    session = onnxruntime.InferenceSession(str(folder / document["model"]["file"]), providers=["CPUExecutionProvider"])
    names = [i["tensor"] for i in document["inputs"]]
    return session.run(["logits"], {n: x.numpy() for n, x in zip(names, feeds, strict=True)})[0]


def test_a_published_comparator_is_recognised_and_served(tmp_path: Path) -> None:
    model = published("tinycd", tmp_path / "tinycd_best.pt", MODEL="tinycd")
    assert main(["import", str(tmp_path / "tinycd_best.pt"), "--out", str(tmp_path / "out"), "--float32"]) == 0
    feeds = [torch.rand(1, 12, 64, 64) for _ in range(2)]
    with torch.no_grad():
        np.testing.assert_allclose(run(tmp_path / "out", feeds), model(*feeds).numpy(), atol=2e-3)
    document = manifest.verify(tmp_path / "out" / "manifest.yaml")
    assert document["output"] == {"tensor": "logits", "activation": "softmax", "channel": 1}
    assert {m["name"]: m["value"] for m in document["provenance"]["metrics"]} == {"IoU": 0.44, "F1": 0.6111}
    missing = {c["band"]: c.get("missing") for c in document["inputs"][0]["channels"]}
    assert missing["B11"] is None and missing["B8A"] == {"substitute": ["B08"]}
    text = (tmp_path / "out" / "CARD.md").read_text()
    assert "tinycd_best.pt" in text and "| F1 | 0.6111 |" in text


def test_deepslide_weights_are_recognised_and_served(tmp_path: Path) -> None:
    model = deepslide("unet-mobilenet-v2", tmp_path / "mobilenetv2.pth")
    arguments = ["import", str(tmp_path / "mobilenetv2.pth"), "--out", str(tmp_path / "out"), "--name", "mobile", "--float32"]
    assert main(arguments) == 0
    feeds = [torch.rand(1, 14, 64, 64)]
    with torch.no_grad():
        np.testing.assert_allclose(run(tmp_path / "out", feeds), model(*feeds).numpy(), atol=2e-3)
    document = manifest.verify(tmp_path / "out" / "manifest.yaml")
    assert (document["name"], document["kind"], document["imagery"]["processing_level"]) == ("mobile", "single-date", "L1C")


@pytest.mark.parametrize("name", ["unet-siam-diff", "unet-siam-conc", "bit", "seifnet"])
def test_the_other_comparators_are_told_apart(name: str, tmp_path: Path) -> None:
    published(name, tmp_path / "x.pt")
    assert imports.load(tmp_path / "x.pt").network.name == name


@pytest.mark.parametrize("name", ["unet-mit-b1", "segformer-mit-b2", "deeplabv3plus-resnet50", "unet-se-resnet50"])
def test_deepslide_wrappers_are_taken_off(name: str, tmp_path: Path) -> None:
    deepslide(name, tmp_path / "x.pth")
    assert imports.load(tmp_path / "x.pth").network.name == name


def test_other_wrappings_of_a_state_dict() -> None:
    tensor = torch.zeros(1)
    for content in (
        {"a": tensor},
        {"state_dict": {"a": tensor}, "epoch": 1},
        {"model_state_dict": {"module.a": tensor}},
        {"ema": {"a": tensor}, "state_dict": {"b": tensor}},
        {"module.model.a": tensor},
    ):
        assert checkpoint.weights(content) == {"a": tensor}
    with pytest.raises(checkpoint.CheckpointError, match="no state dict"):
        checkpoint.weights({"epoch": 3})


def test_published_layouts() -> None:
    """Keys and shapes that the public implementations have, one of each of their parts."""
    expected = {
        "bit": {
            "encoder.conv1.weight": (64, 12, 7, 7),
            "encoder.layer4.1.bn2.weight": (512,),  # carried, never run
            "encoder.fc.weight": (1000, 512),
            "conv_pred.weight": (32, 256, 3, 3),
            "conv_a.weight": (4, 32, 1, 1),
            "pos_embedding": (1, 8, 32),
            "transformer.layers.0.0.fn.fn.to_qkv.weight": (1536, 32),
            "transformer.layers.0.1.fn.fn.net.3.bias": (32,),
            "transformer_decoder.layers.7.0.fn.fn.to_k.weight": (512, 32),
            "transformer_decoder.layers.0.0.fn.norm.weight": (32,),
            "transformer_decoder.layers.0.0.fn.fn.to_out.0.bias": (32,),
            "classifier.3.weight": (2, 32, 3, 3),
        },
        "seifnet": {
            "classifier.0.weight": (32, 32, 3, 3),
            "encoder.fc.bias": (1000,),
            "diff4.Conv3.weight": (1024, 1024, 3, 3),
            "diff1.BN1.running_var": (128,),
            "diff2.coAtt_1.conv_h.weight": (128, 8, 1, 1),
            "ACFF3.conv1.weight": (256, 512, 1, 1),
            "ACFF1.conv.weight": (64, 128, 1, 1),
            "ACFF2.ca.fc1.weight": (8, 128, 1, 1),
            "sam_p4.cbam.channel_attention.shared_MLP.0.weight": (32, 512, 1, 1),
            "sam_p1.cbam.spatial_attention.conv2d.weight": (1, 2, 7, 7),
            "sam_p1.conv2.0.bias": (64,),
            "conv4.weight": (64, 512, 1, 1),
            "conv_final1.weight": (2, 64, 1, 1),
        },
        "tinycd": {
            "_backbone.0.0.weight": (48, 12, 3, 3),
            "_backbone.3.0.block.0.0.weight": (192, 32, 1, 1),
            "_first_mix._mixing._convmix.0.weight": (3, 8, 3, 3),
            "_first_mix._linear._linears.2.1.weight": (1,),
            "_mixing_mask.1._linear._linears.0.0.weight": (16, 32, 1, 1),
            "_mixing_mask.2._convmix.0.weight": (56, 2, 3, 3),
            "_up.2._convolution.3.weight": (32, 64, 1, 1),
            "_classify._linears.2.0.weight": (2, 8, 1, 1),
        },
        "unet-siam-conc": {"decoder.blocks.0.conv1.0.weight": (256, 1536, 3, 3), "segmentation_head.0.bias": (1,)},
        "unet-vgg16": {"encoder.features.0.weight": (64, 14, 3, 3), "decoder.center.1.1.weight": (512,)},
        "unet-mit-b1": {"conv.weight": (3, 14, 1, 1), "model.encoder.patch_embed1.proj.weight": (64, 3, 7, 7)},
        "segformer-mit-b2": {
            "segformer.encoder.patch_embeddings.0.proj.weight": (64, 14, 7, 7),
            "segformer.encoder.block.2.5.attention.self.sr.weight": (320, 320, 2, 2),
            "segformer.encoder.block.0.0.mlp.dwconv.dwconv.weight": (256, 1, 3, 3),
            "decode_head.linear_c.3.proj.weight": (768, 512),
            "decode_head.linear_fuse.weight": (768, 3072, 1, 1),
            "decode_head.classifier.weight": (1, 768, 1, 1),
        },
    }
    for name, keys in expected.items():
        shapes = {k: tuple(v.shape) for k, v in networks.get(name).build().state_dict().items()}
        assert {k: shapes.get(k) for k in keys} == keys, name


class Malicious:
    """Unpickling this writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    touched = tmp_path / "touched"
    hostile = {"state_dict": {}, "hparams": argparse.Namespace(x=Malicious(touched))}
    torch.save(hostile, tmp_path / "zip.pt")
    torch.save(hostile, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(hostile))
    for file in ("zip.pt", "old.pt", "plain.pt"):
        assert main(["import", str(tmp_path / file), "--out", str(tmp_path / "out")]) == 1
        assert f"read checkpoint {tmp_path / file}" in capsys.readouterr().err
    assert not touched.exists() and not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_network_is_answered_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    state = networks.get("clouds").build().state_dict()
    state["head.0.weight"] = torch.zeros(8, 16, 3, 3)
    torch.save(state, tmp_path / "x.pt")
    assert main(["import", str(tmp_path / "x.pt"), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "clouds is nearest" in told and "head.0.weight: (8, 16, 3, 3), expected (16, 16, 3, 3)" in told


def test_settings_that_these_networks_are_not_served_with_are_refused(tmp_path: Path) -> None:
    published("unet-siam-diff", tmp_path / "bands.pt", BANDS=list(reversed(BANDS)))
    with pytest.raises(checkpoint.CheckpointError, match="trained on the bands B12"):
        imports.load(tmp_path / "bands.pt")
    published("unet-siam-diff", tmp_path / "fusion.pt", FUSION_MODULE="absdiff_features")
    with pytest.raises(checkpoint.CheckpointError, match="absdiff_features"):
        imports.load(tmp_path / "fusion.pt")
