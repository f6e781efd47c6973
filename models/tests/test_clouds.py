"""The cloud network's data, training and scores."""

import argparse
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import make_patches

from scarp_models import clouds, train_clouds
from scarp_models.clouds import IGNORED, Scenes, Weather, coarser, normalise, paint, radiometry, real_series
from scarp_models.data import PatchSet

DATA = Path(os.environ.get("SCARP_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SERIES = DATA / "sentinel2" / "time_series" / "netcdf"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def scenes(patches: Path) -> Scenes:
    return Scenes([PatchSet(patches)])


def test_both_dates_are_images_and_no_data_is_ignored(scenes: Scenes) -> None:
    assert len(scenes) == 16
    assert sorted(scenes.pools["clouded"]) == [(0, 0, 0), (0, 0, 1)]
    image, classes = scenes.read((0, 0, 1))
    assert image.shape == (3, 64, 64) and (classes[:8] == 1).all() and (classes[8:] == 0).all()
    # Red is darker than near infrared over green slopes.
    assert image[0, 50, 50] < image[2, 50, 50]
    _, classes = scenes.read((0, 1, 0))
    assert (classes[:, :4] == IGNORED).all()


def test_painted_clouds_are_bright_and_change_the_classes() -> None:
    ground, clear = np.full((3, 64, 64), 900, np.float32), np.zeros((64, 64), np.uint8)
    ground[:, :, :5] = 0
    seen = set()
    for seed in range(8):
        image, classes = paint(ground, clear, 0.5, np.random.default_rng(seed))
        seen |= set(np.unique(classes))
        assert (classes[:, :5] == IGNORED).all() and (image[:, :, :5] == 0).all()
        if (classes == 1).any() and (classes == 3).any():
            assert image[0][classes == 1].min() > image[0][classes == 3].max()
    assert seen == {0, 1, 2, 3, IGNORED}
    image, classes = paint(ground, clear, 1.0, np.random.default_rng(1))
    assert ((classes == 1) | (classes == 2))[:, 5:].mean() > 0.9


def test_drawn_images_keep_their_size_at_any_resolution(scenes: Scenes) -> None:
    for coarse in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        image, classes = scenes.draw(Weather(coarse=coarse), np.random.default_rng(0))
        assert image.shape == (3, 64, 64) and classes.shape == (64, 64) and classes.dtype == np.uint8
        assert set(np.unique(classes)) <= {0, 1, 2, 3, IGNORED}
    a = scenes.draw(Weather(), np.random.default_rng(5))[0]
    assert np.array_equal(a, scenes.draw(Weather(), np.random.default_rng(5))[0])


def test_coarser_pixels_have_the_class_of_most() -> None:
    classes = np.array([[0, 0, 1, 1], [0, 3, 1, 0], [2, 2, 0, 0], [2, 2, 0, IGNORED]], np.uint8)
    image, out = coarser(np.arange(48, dtype=np.float32).reshape(3, 4, 4), classes, 2)
    assert out.tolist() == [[0, 1], [2, IGNORED]]
    assert image[0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_radiometry_leaves_no_data_alone() -> None:
    image = np.full((3, 8, 8), 500, np.float32)
    image[:, 0] = 0
    out = radiometry(image, Weather(), np.random.default_rng(0))
    assert (out[:, 0] == 0).all() and (out[:, 1:] >= 1).all()
    assert normalise(np.array([20000.0, 5000.0])).tolist() == [1, 0.5]


def test_measures_come_from_the_confusion_matrix() -> None:
    matrix = np.array([[80, 0, 0, 0], [0, 6, 2, 0], [2, 4, 6, 0], [0, 0, 0, 0]])
    m = train_clouds.measure(matrix)
    assert m["thick"] == {"pixels": 8, "recall": 0.75, "precision": 0.6, "iou": 0.5}
    assert m["cloud"]["recall"] == 0.9 and m["cloud"]["precision"] == 1
    assert m["mean_iou"] == pytest.approx((80 / 82 + 0.5 + 0.4286) / 3, abs=1e-3)


def series(folder: Path, dates: int = 3) -> Path:
    """Time series in the form of the real ones: bright upper half, which the classification calls cloud."""
    folder.mkdir()
    with h5py.File(folder / "S2_L2A_10m_X_32631_2017.nc", "w") as file:
        for name in ("B02", "B03", "B04", "B08"):
            values = np.full((dates, 20, 20), 600, np.uint16)
            values[:, :10] = 6000
            values[0, -2:] = 0
            file[name] = values
        file["timestamp"] = np.arange(dates)
    with h5py.File(folder / "S2_L2A_20m_X_32631_2017.nc", "w") as file:
        scl = np.full((dates, 10, 10), 4, np.uint8)
        scl[:, :5], scl[:, 5] = 9, 7
        file["SCL"], file["timestamp"] = scl, np.arange(dates)
    return folder


def test_commands_train_and_judge(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    train_clouds.register(commands)

    def run(*arguments: object) -> None:
        options = parser.parse_args([str(a) for a in arguments])
        options.run(options)

    data = make_patches(tmp_path / "train", seed=0, count=2)
    held = make_patches(tmp_path / "held", seed=1, count=2)
    run("train-clouds", "--data", data, "--validation", held, "--out", tmp_path / "run", "--steps", 2, "--batch", 2, "--threads", 1)
    entry = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert entry["step"] == 2 and {"iou_clear", "iou_shadow"} <= set(entry)
    real = series(tmp_path / "series")
    run("evaluate-clouds", "--model", tmp_path / "run" / "best.pt", "--test", data, held, "--series", real,
        "--threads", 1, "--out", tmp_path / "scores.json")  # fmt: skip
    scores = json.loads((tmp_path / "scores.json").read_text())
    cloud = np.load(data / "cloud.npy")
    cloud[:, 1] = 1
    np.save(data / "cloud.npy", cloud)
    run("evaluate-clouds", "--model", tmp_path / "run" / "best.pt", "--test", data, held, "--threads", 1, "--out", tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["train"]["thick"]["pixels"] > 2 * 64 * 60, "each folder is judged by its own images"
    assert again["held"] == scores["held"]
    against = scores["series (against the scene classification)"]
    # Of 20 × 20 × 3 pixels, two rows of unclassified ones a date and two without data on the first don't count.
    assert np.sum(against["confusion"]) == 3 * 400 - 3 * 40 - 40
    assert against["thick"]["pixels"] == 600
    assert "shadow" in capsys.readouterr().out


def test_series_of_different_dates_are_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "s")
    with h5py.File(folder / "S2_L2A_20m_X_32631_2017.nc", "r+") as file:
        file["timestamp"][...] = 7
    with pytest.raises(ValueError, match="different dates"):
        real_series(folder)


@pytest.mark.skipif(not SERIES.exists(), reason="SCARP_TEST_DATA is absent")
def test_real_series_have_clouds_that_are_bright() -> None:
    images = real_series(SERIES)
    assert len(images) == 118 + 72
    red = {c: np.concatenate([i[0][k == c] for i, k in images]) for c in (0, 1, 3)}
    assert np.median(red[1]) > 3 * np.median(red[0]) > np.median(red[3])
    assert clouds.CLASSES == ("clear", "thick", "thin", "shadow")
