"""Training single-date networks on tiny data."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import make_patches
from test_landslide4sense import made, save, save_h5

from scarp_models import checkpoint, export, manifest, networks, single, single_runs
from scarp_models.data import PatchSet
from scarp_models.landslide4sense import CHANNELS, Patches
from scarp_models.loop import Loop, Pace, load
from scarp_models.metrics import Counts
from scarp_models.single import Material, Mixer, Recipe, train
from scarp_models.single_augment import Changes
from scarp_models.toa import SurfacePatches


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two convolutions instead of 24 M weights: what is tested is the training, not the network."""
    torch.set_num_threads(1)

    def build() -> torch.nn.Module:
        return torch.nn.Sequential(
            torch.nn.Conv2d(14, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 1)
        )

    small = replace(networks.get("bbunet"), name="small", kind="single-date", inputs={"image": CHANNELS}, build=build)
    plain = networks.get
    monkeypatch.setattr(networks, "get", lambda name: small if name == "small" else plain(name))


def run(command: str, *arguments: object) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    single.register(commands)
    single_runs.register(commands)
    options = parser.parse_args([command, *map(str, arguments)])
    options.run(options)


def recipe(**more: object) -> Recipe:
    pace = Pace(steps=60, rate=0.02, check_seconds=None, check_steps=30, ema=0.9, bfloat16=False)
    return Recipe(pace, **({"network": "small", "batch": 4, "held_out": (5,)} | more))


def test_training_learns_and_its_threshold_comes_from_held_out_blocks(tmp_path: Path) -> None:
    patches = [made([1, 110, 210, 510], True), made([2, 111, 520], False)]
    material = Material.split(patches, [], recipe())
    assert [len(s) for s in material.train] == [3, 2] and [len(s) for s in material.held_out] == [1, 1]
    chosen = train(material, tmp_path, recipe())
    assert chosen["held_out"]["f1"] > 0.8
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in log] == [30, 60]
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["training_patches"] == {"rgb": 3, "bands": 2} and record["pace"]["seed"] == 1
    name, model = load(tmp_path / "best.pt")
    assert name == "small" and not model.training


def test_validation_and_acceptance_blocks_are_never_trained_on() -> None:
    patches = made([1, 296, 301, 399, 405, 510, 702, 810, 1305, 1702], True)
    material = Material.split([patches], [], recipe())
    assert sorted(material.train[0].index) == [1, 296, 405, 810]
    everything = Material.split([patches], [], recipe(), reserve=False)
    assert len(everything.train[0]) == 9


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    patches = [made([1, 110, 510], True)]
    material = Material.split(patches, [], recipe())
    short = replace(recipe(), pace=replace(recipe().pace, steps=10, check_steps=10))
    train(material, tmp_path, short)
    longer = replace(short, pace=replace(short.pace, steps=20))
    train(material, tmp_path, longer)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in log] == [10, 20]
    with pytest.raises(ValueError, match="give another folder"):
        other = networks.get("bbunet")
        Loop("bbunet", other.build(), tmp_path, Pace(steps=1), lambda p, r: torch.optim.Adam(p, lr=r), {})


def test_patience_ends_a_run(tmp_path: Path) -> None:
    pace = Pace(steps=1000, check_seconds=None, check_steps=1, patience=3)
    weights = torch.nn.Conv2d(1, 1, 1)
    loop = Loop("small", weights, tmp_path, pace, lambda p, r: torch.optim.Adam(p, lr=r), {})
    scores = iter([0.5, 0.6, 0.6, 0.5, 0.4, 0.9])
    loop.run(lambda: weights.weight.square().sum(), lambda model: {"score": next(scores)})
    assert loop.step == 5 and loop.best == 0.6


def test_short_runs_are_judged_with_moments_measured_anew(tmp_path: Path) -> None:
    def moments(refresh: int) -> tuple[float, float]:
        model = torch.nn.Sequential(torch.nn.BatchNorm2d(1, momentum=0.001), torch.nn.Conv2d(1, 1, 1))
        pace = Pace(steps=2, check_seconds=None, ema=0.9, refresh=refresh, bfloat16=False)
        loop = Loop("small", model, tmp_path / str(refresh), pace, lambda p, r: torch.optim.Adam(p, lr=r), {})
        draw = torch.Generator().manual_seed(1)
        loop.run(lambda: loop.logits(5 + 2 * torch.randn(4, 1, 8, 8, generator=draw)).square().mean(), lambda m: {"score": 0.5})
        kept = checkpoint.read(tmp_path / str(refresh) / "best.pt")["ema"]
        assert model[0].momentum == 0.001
        return float(kept["0.running_mean"]), float(kept["0.running_var"])

    assert moments(0)[0] < 0.1
    mean, variance = moments(8)
    assert mean == pytest.approx(5, abs=0.3) and variance == pytest.approx(4, abs=0.5)


def test_a_run_does_not_begin_with_another_network(tmp_path: Path) -> None:
    other = networks.get("clouds")
    checkpoint.write(tmp_path / "clouds.pt", {"network": "clouds", "ema": other.build().state_dict()})
    options = argparse.Namespace(start=tmp_path / "clouds.pt", network="small", surface=[], seed=1)
    with pytest.raises(ValueError, match="holds clouds; --start takes a BBUnet, .* or small"):
        single._start(options, Material([], []))


def test_schedules() -> None:
    def rate(step: int, **how: object) -> float:
        loop = Loop.__new__(Loop)
        loop.pace, loop.step, loop.elapsed = Pace(steps=1000, rate=1.0, epoch=10, **how), step, 0.0
        return loop._rate()

    assert rate(299, schedule="step") == 1 and rate(300, schedule="step") == pytest.approx(0.1)
    assert rate(25, schedule="exponential") == pytest.approx(0.99**2)
    assert rate(40) == pytest.approx(1) and rate(1000) == pytest.approx(0.01) and rate(0) < 0.05
    with pytest.raises(ValueError, match="never ends"):
        Pace()


def test_deepslide_recipe_is_theirs() -> None:
    r = Recipe.deepslide(epoch=200)
    assert r.batch == 16 and r.positive_weight == 5 and r.weight_decay == 0 and r.changes == Changes.none()
    assert (r.pace.rate, r.pace.schedule, r.pace.epoch, r.pace.ema) == (1e-3, "step", 200, 0)


def test_deepslide_can_be_asked_for(tmp_path: Path) -> None:
    h5 = save_h5(made([1, 102, 412, 520], False), tmp_path / "benchmark")
    run("train-single", "--deepslide", "--epochs", 2, "--network", "small", "--batch", 2, "--h5", h5, "--held-out", 5,
        "--threads", 1, "--seed", 4, "--out", tmp_path / "run")  # fmt: skip
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in log] == [2, 4] and {e["rate"] for e in log} == {0.001}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["pace"]["seed"] == 4


def test_shares_of_blocks_nest() -> None:
    patches = made([100 * b + 1 for b in range(12)], True)
    chosen = [set(single.share_of_blocks(patches, recipe(share=s))) for s in (0.125, 0.25, 0.5, 1)]
    assert [len(c) for c in chosen] == [2, 3, 6, 12]
    assert all(a < b for a, b in zip(chosen, chosen[1:], strict=False))


def test_mixing_keeps_small_sources_small(tmp_path: Path) -> None:
    surface = SurfacePatches(PatchSet(make_patches(tmp_path / "p", seed=0)))
    big = Patches("rgb", np.zeros((700, 1, 1, 3), np.uint8), np.zeros((700, 1, 1), np.uint8), np.arange(700))
    mixer = Mixer([big, made([1, 2], False), surface])
    assert mixer.shares.tolist() == pytest.approx([6 / 8.5, 1 / 8.5, 1.5 / 8.5])


def test_commands_train_draw_the_curve_and_cross_validate(tmp_path: Path) -> None:
    rgb = save(made([1, 110, 210, 410, 510, 610], True), tmp_path / "rgb.npz")
    h5 = save_h5(made([2, 112, 412, 520], False), tmp_path / "benchmark")
    test = save(made([301, 302, 1301], True), tmp_path / "validation.npz")
    common = ["--network", "small", "--steps", 3, "--batch", 2, "--held-out", 5, "--threads", 1, "--rgb", rgb]

    run("train-single", *common, "--h5", h5, "--validation", test, "--out", tmp_path / "one")
    score = json.loads((tmp_path / "one" / "scores.json").read_text())[0]
    assert score["patches"] == 3 and score["f1_95"][0] <= score["f1"] <= score["f1_95"][1]

    about = yaml.safe_load((tmp_path / "one" / "about.yaml").read_text())
    exported = export.Exported(Path("small.onnx"), "0" * 64, 1, 1)
    document = manifest.build(networks.get("small"), "small", "1.0.0", "Small", exported, about)
    assert {c["band"]: c.get("missing") for c in document["inputs"][0]["channels"][:4]} == {
        "B01": {"fill": 0}, "B02": None, "B03": None, "B04": None,
    }  # fmt: skip
    assert about["absent"]["B08"] == 0 and "B03" not in about["absent"]
    assert about["provenance"]["absences"][0]["missing"][-1] == "terrain"

    run("curve-single", *common, "--validation", test, "--shares", 0.5, 1, "--out", tmp_path / "curve")
    rows = json.loads((tmp_path / "curve" / "curve.json").read_text())
    assert [(r["share"], r["training_patches"], r["steps"]) for r in rows] == [(0.5, 2, 3), (1, 5, 3)]

    run("cross-single", *common, "--h5", h5, "--folds", 2, "--out", tmp_path / "cross")
    rows = json.loads((tmp_path / "cross" / "cross.json").read_text())
    assert {r["patches"] for r in rows} == {4} and rows[-1]["channels"] == "RGB"

    exported = tmp_path / "one" / "small.onnx"
    export.export(networks.get("small"), load(tmp_path / "one" / "best.pt")[1], exported, {}, half=False)
    rows = []
    for model in (tmp_path / "one" / "best.pt", exported):
        run("evaluate-single", "--model", model, "--test", test, "--threads", 1, "--out", tmp_path / "scores.json")
        rows += json.loads((tmp_path / "scores.json").read_text())
    assert rows[0] | {"network": "small"} == rows[1] and rows[0]["channels"] == "RGB"


def test_folds_are_counted_together_each_at_its_own_threshold() -> None:
    positive, negative = np.zeros((1, 251), np.int64), np.zeros((1, 251), np.int64)
    positive[0, [10, 60, 61, 250]] = 1
    negative[0, [0, 59, 60]] = 1
    counts = Counts(positive, negative)
    moved = single_runs._at_half(counts, 60 / 250)
    assert moved.confusion(0.5).tolist() == counts.confusion(60 / 250).tolist() == [[3, 1, 1]]


def test_folds_share_blocks_out_evenly() -> None:
    folds = single_runs.fold_blocks([made([1, 2, 3, 105, 106, 210, 310], False)], 2, seed=1)
    assert sorted(sum(folds, [])) == [0, 1, 2, 3]
    assert {tuple(f) for f in folds} & {(0,), (0, 2), (0, 3), (1, 2, 3)}
