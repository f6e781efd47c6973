"""Worse data, knowledge of slopes, and the commands that measure with them."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_patches
from test_evaluate import TINY, pixelwise

from scarp_models import ablations, degrade, edge
from scarp_models.data import Batch, PatchSet
from scarp_models.physics import Runout, reweigh, slope_prior
from scarp_models.served import Served


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def batch(patches: Path) -> Batch:
    return PatchSet(patches).batch(np.arange(4))


def test_absent_bands_are_zero_and_the_original_stays(batch: Batch) -> None:
    before = batch.pre.clone()
    rgb = degrade.only(batch, ablations.RGB)
    assert rgb.pre[:, [0, 4, 5, 6, 7, 8, 9, 10, 11]].abs().sum() == 0
    assert torch.equal(rgb.pre[:, 1:4], before[:, 1:4]) and torch.equal(batch.pre, before)


def test_a_network_goes_on_without_its_red_band(tmp_path: Path, batch: Batch) -> None:
    """B04 tells where there is no data; without it another band has to."""
    network = Served(TINY / "tiny-bitemporal" / "tiny.onnx", 1)
    feeds = network.prepare(degrade.only(batch, ["B08"]))
    assert not feeds["pre"][:, 3].any() and (feeds["pre"][2, 7] > 0).all()
    assert not feeds["pre"][1, 7, :, :4].any(), "no data on the swath's edge"


def test_coarse_pixels_are_means_of_their_area(batch: Batch) -> None:
    batch.pre[2] = torch.arange(64.0).repeat_interleave(1)[None, None, :] + 100
    coarse = degrade.coarse(batch, 20).pre[2, 0, 10]
    # Means of pairs are 100.5, 102.5, …; between their centres it goes on linearly.
    np.testing.assert_allclose(coarse[2:-2], 100 + np.arange(64)[2:-2], atol=1e-3)
    assert coarse[0] == pytest.approx(100.5)
    flat = degrade.coarse(batch, 30)
    assert flat.post.shape == batch.post.shape and (flat.pre[1, :, :, :4] == 0).all() and (flat.pre[1, :, :, 4:] > 0).all()


def test_images_are_moved_by_parts_of_a_pixel() -> None:
    x = torch.arange(1.0, 7).repeat(12, 6, 1)
    right = degrade.moved(x, 0, 1)[0]
    assert right[0].tolist() == [0, 1, 2, 3, 4, 5]
    half = degrade.moved(x, 0, 0.5)[0]
    assert half[0].tolist() == [0, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert degrade.moved(x, -2, 0)[0, -2:].tolist() == [[0] * 6] * 2
    assert torch.equal(degrade.moved(x, 0, 0), x)


@pytest.mark.parametrize("distance", [0.5, 2.0])
def test_dates_are_set_apart_by_that_distance(batch: Batch, distance: float) -> None:
    ramp = torch.arange(64.0)
    batch.pre[:] = 1000 + 10 * ramp[:, None] + torch.zeros(64)
    rows = degrade.apart(batch, distance).pre[:, 0, 32, 32] - 1000 - 320
    batch.pre[:] = 1000 + 10 * ramp
    columns = degrade.apart(batch, distance).pre[:, 0, 32, 32] - 1000 - 320
    np.testing.assert_allclose(np.hypot(rows.numpy(), columns.numpy()), 10 * distance, rtol=1e-3)
    assert len({round(float(r), 3) for r in rows}) == 4, "each patch has its own direction"
    again = degrade.apart(Batch(*(x[2:3] for x in (batch.pre, batch.post, batch.terrain, batch.mask, batch.valid))), distance, first=2)
    assert again.pre[0, 0, 32, 32] - 1320 == pytest.approx(float(columns[2])), "whatever batch it is in"


def test_cloud_covers_what_was_asked_for(batch: Batch) -> None:
    clouded, hidden = degrade.cloud(batch, 0.25)
    assert hidden.float().mean((1, 2, 3)).tolist() == pytest.approx([0.25] * 4, abs=0.01)
    assert torch.equal(clouded.pre[0], batch.pre[0]) and torch.equal(clouded.post[1], batch.post[1])
    seen = hidden[2, 0]
    assert clouded.post[2, 1][seen].min() > 3000 and torch.equal(clouded.valid, batch.valid)


def test_tiles_are_put_back_where_they_were(batch: Batch) -> None:
    shapes = []

    def scorer(b: Batch) -> np.ndarray:
        shapes.append(b.pre.shape)
        return b.pre[:, 3:4].numpy()

    np.testing.assert_array_equal(ablations.in_tiles(scorer, 16)(batch), batch.pre[:, 3:4].numpy())
    assert shapes == [(64, 12, 16, 16)]


def test_season_gaps_go_round_the_year(patches: Path) -> None:
    events = [
        {"pre_date": "2021-12-20", "post_date": "2022-01-10", "patches": 3},
        {"pre_date": "2021-06-01", "post_date": "2023-06-11", "patches": 5},
    ]
    assert (ablations.season_gaps(PatchSet(patches)) == -1).all()
    (patches / "patches.json").write_text(json.dumps({"events": events}))
    assert ablations.season_gaps(PatchSet(patches)).tolist() == [22] * 3 + [10] * 5


def hill(size: int = 40) -> np.ndarray:
    """A 30° slope that falls to the south and runs out into a plain at row 20."""
    terrain = np.zeros((3, size, size), np.float32)
    rows = np.arange(size)
    terrain[0] = (100 + np.clip(20 - rows, 0, None) * 10 * np.tan(np.radians(30)))[:, None]
    terrain[1] = np.where(rows < 20, 30, 0.5)[:, None]
    return terrain


def test_components_without_a_source_are_dropped() -> None:
    score = np.zeros((40, 40))
    score[5:25, 5:8] = 0.9  # from the slope into the plain: a landslide with its runout
    score[21:24, 20:30] = 0.9  # at the foot, a pixel from the slope, which lies above it
    score[32:38, 10:20] = 0.9  # a field
    kept = Runout(source=15, travel=0)(score, hill(), 0.5)
    assert (kept[5:25, 5:8] == 0.9).all() and (kept[21:24, 20:30] == 0.9).all()
    assert not kept[32:38, 10:20].any()
    damped = Runout(source=15, travel=0, damp=0.5)(score, hill(), 0.5)
    assert damped[33, 12] == pytest.approx(0.45) and damped[10, 6] == 0.9


def test_a_landslide_runs_downhill() -> None:
    score = np.zeros((40, 40))
    score[19:21, 2:38] = 0.9  # along the foot of the slope: 36 pixels long, hardly a fall
    assert not Runout(source=15, travel=5)(score, hill(), 0.5).any()
    assert Runout(source=15, travel=0)(score, hill(), 0.5).any()


def test_without_a_dem_nothing_is_said() -> None:
    score = np.full((8, 8), 0.9)
    np.testing.assert_array_equal(Runout()(score, np.zeros((3, 8, 8), np.float32), 0.5), score)


def test_prior_multiplies_the_odds() -> None:
    half = reweigh(np.array([0.5]), np.array([10.0]), angle=10)
    assert half[0] == pytest.approx(1 / 3)  # odds 1 become ½
    assert reweigh(np.array([0.9]), np.array([60.0]), angle=10)[0] == pytest.approx(0.9, abs=1e-6)
    assert reweigh(np.array([0.9]), np.array([0.0]), angle=20)[0] < 0.02


def test_the_loss_term_costs_on_gentle_ground_only() -> None:
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    slope = torch.tensor([[[[8.0, 60.0], [8.0, 8.0]]]])
    valid = torch.tensor([[[[True, True, True, False]]]]).reshape(1, 1, 2, 2)
    mask = torch.tensor([[[[0.0, 0], [1, 0]]]])
    # One pixel of gentleness ½ and −log(1 − ½), of three that are valid.
    term = slope_prior(logits, slope, valid, mask)
    assert term.item() == pytest.approx(0.5 * np.log(2) / 3, rel=1e-5)
    term.backward()
    assert logits.grad[0, 0, 0, 0] > 0 and logits.grad[0, 0, 1, 0] == 0 and logits.grad[0, 0, 1, 1] == 0


def run(module: object, *arguments: object) -> None:
    parser = argparse.ArgumentParser()
    module.register(parser.add_subparsers(required=True))
    options = parser.parse_args([str(a) for a in arguments])
    options.run(options)


def test_ablations_are_measured_and_reported(tmp_path: Path, patches: Path) -> None:
    test = make_patches(tmp_path / "test", seed=4, count=4)
    out = tmp_path / "out"
    model = pixelwise(tmp_path / "n")
    run(ablations, "ablate", "--model", model, "--validation", patches, "--test", test, "--out", out, "--threads", 1, "--rounds", 20)
    document = json.loads((out / "ablations-n-pixelwise.json").read_text())
    rows = {r["variant"]: r for r in document["rows"]}
    intact = rows["intact"]["f1"]
    assert intact > 0.95
    assert rows["without B08 (required)"]["difference"] == {"f1": 0.0, "interval": [0, 0]}, "it looks at B04 only"
    assert rows["without B04 (required)"]["f1"] < 0.5
    assert rows["terrain off"]["f1"] == intact and rows["pre off (post on both dates)"]["recall"] == 0
    assert rows["30 m"]["f1"] < intact
    assert rows["2 pixels apart"]["f1"] < rows["0.5 pixels apart"]["f1"]
    assert rows["10 % more thick cloud, missed by the mask"]["f1"] < rows["10 % more thick cloud, masked out"]["f1"]
    assert rows["64 × 64, no overlap (64 in all)"]["f1"] == intact
    assert sum(r["part"] == "physics" for r in document["rows"]) == 2
    assert "Bands missing" in (out / "report.html").read_text()


def test_time_memory_and_lost_accuracy(tmp_path: Path, patches: Path) -> None:
    test = make_patches(tmp_path / "test", seed=4, count=4)
    model, other = pixelwise(tmp_path / "n"), TINY / "tiny-bitemporal" / "tiny.onnx"
    clouds = next((TINY / "clouds" / "tiny-clouds").glob("*.onnx"))
    run(
        edge, "edge", "--model", model, "--model", other, "--model", clouds, "--threads", 1, "--size", 64, "--runs", 3,
        "--validation", patches, "--test", test, "--out", tmp_path / "out",
    )  # fmt: skip
    first, second, third = json.loads((tmp_path / "out" / "edge.json").read_text())["rows"]
    assert first["ratio"] == 1 and first["difference"] == [0, 0, 0] and first["precision"] == "fp32"
    assert third["median_ms"] > 0 and "f1" not in third, "a cloud network is timed and not scored"
    assert second["median_ms"] > 0 and 300 > second["peak_mb"] > second["network_mb"] > 0
    assert "Time and memory" in (tmp_path / "out" / "report.html").read_text()
    with pytest.raises(ValueError, match="both --validation and --test"):
        run(edge, "edge", "--model", model, "--test", test, "--out", tmp_path / "out")
