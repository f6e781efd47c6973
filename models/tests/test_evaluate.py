"""Networks as served, baselines, and the command that judges both, with tiny networks and patches."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from conftest import make_patches
from onnx import TensorProto, helper

from scarp_models import baselines, evaluate, report
from scarp_models.data import Batch, PatchSet
from scarp_models.served import Lattice, Served, reflect

TINY = Path(__file__).resolve().parents[2] / "inference" / "testdata"


def lattice(size: int, overlap: int, blend: str, margin: int = 0) -> Lattice:
    return Lattice(size, overlap, overlap // 2 if blend == "none" else margin, blend)


@pytest.mark.parametrize(
    ("patches", "offset"),
    [
        (lattice(320, 64, "cosine"), -160), (lattice(320, 64, "cosine", 16), -160), (lattice(320, 64, "none"), -32),
        (lattice(256, 0, "cosine"), -256), (lattice(576, 64, "cosine"), -416), (lattice(384, 128, "cosine"), -192),
        (lattice(256, 128, "cosine"), -128),
    ],
)  # fmt: skip
def test_patches_lie_where_the_server_puts_them(patches: Lattice, offset: int) -> None:
    """The same table as in the server's own test of its lattice."""
    assert patches.offset() == offset


def test_used_parts_cover_every_pixel() -> None:
    shipped = lattice(320, 64, "none")
    assert shipped.starts(256) == [-32] and shipped.starts(512) == [-32, 224] and shipped.starts(300) == [-32, 224]
    for la in (shipped, lattice(256, 64, "cosine"), lattice(64, 16, "linear")):
        covered = np.zeros(500)
        for start in la.starts(500):
            for i, w in enumerate(la.weights(), start + la.margin):
                if 0 <= i < 500:
                    covered[i] += w
        np.testing.assert_allclose(covered, 1, atol=1e-6)


def test_images_go_on_mirrored() -> None:
    assert reflect(-2, 7, 4).tolist() == [2, 1, 0, 1, 2, 3, 2]
    assert reflect(-3, 5, 1).tolist() == [0] * 5
    assert reflect(-7, 3, 3).tolist() == [1, 2, 1]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def batch(patches: Path) -> Batch:
    return PatchSet(patches).batch(np.arange(8))


def pixelwise(folder: Path, manifest: bool = True, batch: int | str = "N") -> Path:
    """A network whose logit is 20 · (B04 post − B04 pre) − 1, with a manifest like the shipped one's."""
    nodes = [
        helper.make_node("Sub", ["post", "pre"], ["d"]),
        helper.make_node("Conv", ["d", "w", "b"], ["logits"]),
    ]
    w = np.zeros((1, 12, 1, 1), np.float32)
    w[0, 3] = 20
    weights = [onnx.numpy_helper.from_array(w, "w"), onnx.numpy_helper.from_array(np.array([-1], np.float32), "b")]

    def tensor(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, channels, "H", "W"])

    graph = helper.make_graph(nodes, "g", [tensor("pre", 12), tensor("post", 12)], [tensor("logits", 1)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    folder.mkdir()
    onnx.save(model, folder / "pixelwise.onnx")
    if manifest:
        document = yaml.safe_load((TINY / "tiny-bitemporal" / "manifest.yaml").read_text())
        document["inputs"] = document["inputs"][:2]
        document["patch"] |= {"size": 32, "multiple_of": 16, "overlap": 8, "blend": "none"}
        (folder / "manifest.yaml").write_text(yaml.dump(document))
    return folder / "pixelwise.onnx"


def expected(batch: Batch) -> np.ndarray:
    change = (batch.post[:, 3:4].clamp(0, 10000) - batch.pre[:, 3:4].clamp(0, 10000)) / 10000
    return torch.sigmoid(20 * change - 1).numpy()


@pytest.mark.parametrize("tiling", ["auto", "served", "plain"])
def test_a_network_of_single_pixels_says_the_same_however_it_is_cut(tmp_path: Path, batch: Batch, tiling: str) -> None:
    network = Served(pixelwise(tmp_path / "n"), 1, tiling)
    np.testing.assert_allclose(network(batch), expected(batch), atol=1e-6)
    words = network.how(64, 64)
    assert ("one piece" in words) == (tiling == "plain") and ("as served" in words) == (tiling != "plain")


@pytest.mark.parametrize("size", [(64, 40), (50, 33)])
def test_sizes_that_do_not_fit_are_mirrored(tmp_path: Path, batch: Batch, size: tuple[int, int]) -> None:
    cut = Batch(*(x[..., : size[0], : size[1]] for x in (batch.pre, batch.post, batch.terrain, batch.mask, batch.valid)))
    for tiling in ("served", "plain"):
        network = Served(pixelwise(tmp_path / tiling), 1, tiling)
        np.testing.assert_allclose(network(cut), expected(cut), atol=1e-6)
    assert "mirrored to 48 × 64" in network.how(50, 33)[:40] or "mirrored to 48 × 64" in network.how(64, 40)


def test_networks_of_a_fixed_batch_are_fed_one_by_one(tmp_path: Path, batch: Batch) -> None:
    network = Served(pixelwise(tmp_path / "n", batch=1), 1)
    np.testing.assert_allclose(network(batch), expected(batch), atol=1e-6)


def test_without_a_manifest_the_inputs_names_tell(tmp_path: Path, batch: Batch) -> None:
    network = Served(pixelwise(tmp_path / "n", manifest=False), 1)
    assert not network.has_manifest and network.lattice.size == 320
    np.testing.assert_allclose(network(batch), expected(batch), atol=1e-6)
    shutil.copy(TINY / "tiny-single" / "tiny.onnx", tmp_path / "single.onnx")
    with pytest.raises(ValueError, match="no manifest.yaml beside it"):
        Served(tmp_path / "single.onnx", 1)


def test_inputs_are_prepared_as_the_training_did_it(batch: Batch) -> None:
    network = Served(TINY / "tiny-bitemporal" / "tiny.onnx", 1)
    batch.terrain[:, 0] = torch.linspace(0, 2500, 8)[:, None, None]
    batch.terrain[:, 2] = torch.arange(64) * 5.5
    feeds = network.prepare(batch)
    for name, wanted in zip(("pre", "post", "dem"), batch.inputs(), strict=True):
        np.testing.assert_allclose(feeds[name], wanted.numpy(), atol=1e-6)


def test_absent_bands_get_what_the_manifest_fills_in(batch: Batch) -> None:
    """The single-date network has a cirrus band, which patches never hold, and its own divisors."""
    network = Served(TINY / "tiny-single" / "tiny.onnx", 1)
    (image,) = network.prepare(batch).values()
    channels = network.manifest["inputs"][0]["channels"]
    for i, c in enumerate(channels):
        if c.get("band") == "B10":
            assert (image[:, i] == c["missing"]["fill"]).all()
        if c.get("band") == "B04":
            assert image[2, i, 0, 0] == pytest.approx(batch.post[2, 3, 0, 0].item() / c["divisor"], rel=1e-6)


def test_the_tiny_networks_find_the_scar(batch: Batch) -> None:
    for name in ("tiny-bitemporal", "tiny-single"):
        network = Served(TINY / name / "tiny.onnx", 1)
        probability = network(batch)
        assert probability.shape == (8, 1, 64, 64)
        assert probability[2, 0, 25:35, 15:25].min() > probability[2, 0, 45:60, 40:60].max()


def test_rules_by_hand() -> None:
    batch = Batch(torch.full((2, 12, 2, 2), 1000.0), torch.full((2, 12, 2, 2), 1000.0), torch.zeros(2, 3, 2, 2), *(torch.zeros(2, 1, 2, 2),) * 2)
    batch.pre[0, 7] = 3000  # NDVI 0.5 before, 0 after
    batch.pre[1, 7] = batch.post[1, 7] = 0  # no near infrared: brightness
    batch.post[1, [1, 2, 3]] = 2500  # + 0.15 of 0.5
    vegetation = baselines.vegetation_loss(batch)
    assert vegetation[0, 0, 0, 0] == pytest.approx(0.5) and vegetation[1, 0, 0, 0] == pytest.approx(0.3)
    # One band changed by 0.2; three by 0.15.
    length = baselines.change_vector(batch)
    assert length[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.15 * 3**0.5])
    # The same change everywhere is none after centring; a pixel that stands out is found.
    assert baselines.centred_change_vector(batch).max() == pytest.approx(0, abs=1e-6)
    batch.post[0, :, 1, 1] += 300
    assert baselines.centred_change_vector(batch)[0, 0, 1, 1] == pytest.approx(0.03 * 12**0.5, rel=1e-5)


def test_gates_let_only_slopes_through(batch: Batch) -> None:
    batch.terrain[:, 1, :32] = 4
    gated = baselines.on_slopes(baselines.change_vector, 10)(batch)
    assert not gated[:, :, :32].any()
    np.testing.assert_array_equal(gated[:, :, 32:], baselines.change_vector(batch)[:, :, 32:])
    batch.terrain.zero_()  # unknown
    assert baselines.on_slopes(baselines.change_vector, 10)(batch).any()


def test_baselines_are_fitted_on_validation(patches: Path) -> None:
    fitted = {b.name: b for b in baselines.fit([PatchSet(patches)])}
    assert len(fitted) == 8
    for b in fitted.values():
        total = evaluate.predict(b.scorer, PatchSet(patches)).counts().total()
        assert total.at(b.threshold).iou > 0.9, b.name


def test_command_writes_table_json_and_report(tmp_path: Path, patches: Path, capsys: pytest.CaptureFixture) -> None:
    test = make_patches(tmp_path / "test", seed=4, count=4)
    (test / "patches.json").write_text(json.dumps({"region": ["hills", "coast", "hills", "coast"]}))
    out = tmp_path / "out"
    command(
        "evaluate", "--model", pixelwise(tmp_path / "n"), "--model", TINY / "tiny-bitemporal" / "tiny.onnx",
        "--validation", patches, "--test", test, "--out", out, "--threads", 1, "--rounds", 50,
    )  # fmt: skip
    document = json.loads((out / "evaluation.json").read_text())
    rows = [r for r in document["rows"] if r["data"] == "test"]
    assert [r["kind"] for r in rows] == ["network"] * 2 + ["baseline"] * 8
    first = rows[0]
    assert first["method"] == "n/pixelwise" and first["f1"] > 0.95
    assert first["intervals"]["f1"][0] <= first["f1"] <= first["intervals"]["f1"][1]
    assert first["objects"][0]["reference"] == 2 and first["objects"][0]["recall"] == 1
    lead = first["lead"]
    best = max(r["f1"] for r in rows[2:])
    assert lead["f1"] == pytest.approx(first["f1"] - best, abs=1e-4) and lead["interval"][0] <= lead["f1"]
    thresholds = {(r["method"], r["threshold"]) for r in document["rows"]}
    assert len(thresholds) == 10, "one threshold a method, whatever the data"
    assert {r["data"] for r in document["rows"]} == {"patches", "test", "test: hills", "test: coast"}
    assert "n/pixelwise" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    assert "data:image/png;base64," in page and "<svg" in page and "http" not in page
    report.write(out, "edge", "<p>later</p>")
    report.write(out, "evaluation", "<p>again</p>")
    page = (out / "report.html").read_text()
    assert page.index("<p>again</p>") < page.index("<p>later</p>") and "data:image" not in page


def test_events_are_drawn_whole(patches: Path) -> None:
    sets = PatchSet(patches)
    assert evaluate.events(sets) is None
    few = [{"patches": 2}] * 4
    (patches / "patches.json").write_text(json.dumps({"events": few}))
    assert evaluate.events(sets) is None, "too few to draw among"
    (patches / "patches.json").write_text(json.dumps({"events": [{"patches": n} for n in (1, 1, 2, 2, 2)]}))
    assert evaluate.events(sets).tolist() == [0, 1, 2, 2, 3, 3, 4, 4]
    method = evaluate.Method("rule", "baseline", baselines.change_vector, 0.1)
    prediction = evaluate.predict(method.scorer, sets)
    alone, whole = (evaluate.judge(method, prediction, "x", 200, g).row for g in (None, evaluate.events(sets)))
    assert alone["f1"] == whole["f1"] and (alone["drawn"], whole["drawn"]) == (8, 5)
    assert whole["objects"][0]["reference"] == alone["objects"][0]["reference"] == 4


def test_test_data_must_not_be_validation_data(tmp_path: Path, patches: Path) -> None:
    with pytest.raises(ValueError, match="both validation and test"):
        command("evaluate", "--model", pixelwise(tmp_path / "n"), "--validation", patches, "--test", patches, "--out", tmp_path / "o")


def command(*arguments: object) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    evaluate.register(parser.add_subparsers(required=True))
    options = parser.parse_args([str(a) for a in arguments])
    options.run(options)
