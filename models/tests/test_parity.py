"""What the server feeds to a network, and what it makes of the answer, beside the Python that it was trained with.

Needs the built server: SCARP_BINARY, or build/scarp."""

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import rasterio
import torch
import yaml
from rasterio.transform import from_origin
from scipy import ndimage

from scarp_models import objects
from scarp_models.data import normalise_bands, normalise_terrain

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SCARP_BINARY", ROOT / "build" / "scarp"))
SHIPPED = ROOT / "models" / "bbunet"
WIDTH, HEIGHT = 300, 280

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason=f"{BINARY} is not built")


def scarp(*args: object) -> None:
    libraries = {"SCARP_ONNXRUNTIME": str(ROOT / "build" / "lib" / "libonnxruntime.so.1")}
    done = subprocess.run([BINARY, *map(str, args)], env=libraries | os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def event(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("event")
    scarp("simulate", "--size", f"{WIDTH}x{HEIGHT}", "--seed", 5, "-o", folder)
    return folder


def slope_and_aspect(elevation: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Horn's slope in degrees, and sine and cosine of the direction of steepest descent from north."""
    z = np.pad(elevation.astype(np.float64), 1, mode="edge")
    a, b, c = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    d, f = z[1:-1, :-2], z[1:-1, 2:]
    g, h, i = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    east = ((c + 2 * f + i) - (a + 2 * d + g)) / (8 * pixel)
    north = ((a + 2 * b + c) - (g + 2 * h + i)) / (8 * pixel)
    length = np.hypot(east, north)
    flat = length == 0
    safe = np.where(flat, 1, length)
    return np.degrees(np.arctan(length)), np.where(flat, 0, -east / safe), np.where(flat, 0, -north / safe)


def terrain(event: Path) -> np.ndarray:
    """Elevation, slope and aspect on the 10 m grid, each interpolated from the DEM's own 30 m pixels."""
    with rasterio.open(event / "dem.tif") as dem, rasterio.open(event / "post.tif") as post:
        elevation, pixel = dem.read(1), dem.transform.a
        column = (post.transform.c + (np.arange(WIDTH) + 0.5) * 10 - dem.transform.c) / pixel - 0.5
        row = (dem.transform.f - post.transform.f + (np.arange(HEIGHT) + 0.5) * 10) / pixel - 0.5

    def interpolate(layer: np.ndarray) -> np.ndarray:
        def ends(at: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            low = np.floor(at).astype(int)
            return low.clip(0, n - 1), (low + 1).clip(0, n - 1), at - low

        y0, y1, wy = ends(row, layer.shape[0])
        x0, x1, wx = ends(column, layer.shape[1])
        upper = layer[y0][:, x0] * (1 - wx) + layer[y0][:, x1] * wx
        lower = layer[y1][:, x0] * (1 - wx) + layer[y1][:, x1] * wx
        return upper * (1 - wy[:, None]) + lower * wy[:, None]

    slope, sine, cosine = slope_and_aspect(elevation, pixel)
    aspect = np.degrees(np.arctan2(interpolate(sine), interpolate(cosine))) % 360
    return np.stack([interpolate(elevation.astype(np.float64)), interpolate(slope), aspect])


def inputs(event: Path) -> dict[str, np.ndarray]:
    """The whole event as BBUnet sees it, by the code that prepares training data."""

    def bands(name: str) -> np.ndarray:
        with rasterio.open(event / f"{name}.tif") as scene:
            return normalise_bands(torch.from_numpy(scene.read().astype(np.float32))).numpy()

    relief = normalise_terrain(torch.from_numpy(terrain(event))[None])[0]
    return {"pre": bands("pre"), "post": bands("post"), "dem": relief.numpy().astype(np.float32)}


def mirrored(start: int, size: int, length: int) -> np.ndarray:
    """Indices of a patch's pixels, which go on mirrored beyond the image, without repeating its edge."""
    period = 2 * (length - 1)
    at = np.arange(start, start + size) % period
    return np.minimum(at, period - at)


# One window in the middle, one over the lower right corner of the grid.
@pytest.mark.parametrize(("x", "y", "size"), [(60, 70, 160), (200, 200, 160)])
def test_all_input_channels_are_the_same(event: Path, tmp_path: Path, x: int, y: int, size: int) -> None:
    scarp("model", "tensor", "bbunet", "--event", event / "event.yaml", "--window", f"{x},{y},{size}", "-o", tmp_path / "x.npz")
    served = np.load(tmp_path / "x.npz")
    rows, columns = mirrored(y, size, HEIGHT), mirrored(x, size, WIDTH)
    north = np.minimum(terrain(event)[2], 360 - terrain(event)[2])[rows][:, columns]
    channels = 0
    for name, whole in inputs(event).items():
        expected = whole[:, rows][:, :, columns]
        assert served[name].shape == expected.shape
        for k in range(len(expected)):
            apart = np.abs(served[name][k] - expected[k])
            if name == "dem" and k == 3:
                # The cosine of half the aspect jumps at north: there the last bit decides on which side a pixel is.
                assert (north < 1e-3).mean() < 0.01
                apart = apart[north >= 1e-3]
            assert apart.max() <= 1e-5, f"{name} channel {k}"
            channels += 1
    assert channels == 28


def test_probability_map_is_the_same(event: Path, tmp_path: Path) -> None:
    """Images in, GeoTIFF out, beside the same network run by hand over the same patches."""
    manifest = yaml.safe_load((SHIPPED / "manifest.yaml").read_text())
    size, overlap = manifest["patch"]["size"], manifest["patch"]["overlap"]
    core = size - overlap
    assert manifest["patch"]["blend"] == "none" and 256 % core == 0, "patches lie on blocks"
    scarp(
        "map", "--pre", event / "pre.tif", "--post", event / "post.tif", "--dem", event / "dem.tif", "--model", "bbunet",
        "--clouds", "none", "-o", tmp_path / "mask.tif", "--probability", tmp_path / "p.tif",
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(SHIPPED / manifest["model"]["file"]), options)
    whole, margin = inputs(event), overlap // 2
    expected = np.zeros((HEIGHT, WIDTH))
    for y in range(0, HEIGHT, core):
        for x in range(0, WIDTH, core):
            rows, columns = mirrored(y - margin, size, HEIGHT), mirrored(x - margin, size, WIDTH)
            patch = {k: v[:, rows][:, :, columns][None] for k, v in whole.items()}
            logits = session.run([manifest["output"]["tensor"]], patch)[0][0, 0]
            inner = logits[margin : margin + core, margin : margin + core][: HEIGHT - y, : WIDTH - x]
            expected[y : y + core, x : x + core] = 1 / (1 + np.exp(-inner.astype(np.float64)))
    with rasterio.open(tmp_path / "p.tif") as served:
        steps = served.read(1)
        assert math.isclose(served.scales[0], 1 / 250)
    assert (steps <= 250).all(), "every pixel has data"
    assert np.abs(steps / 250 - expected).max() <= 1 / 250
    assert expected.max() > 0.5, "there is something to see"


def test_landslides_are_matched_alike(tmp_path: Path) -> None:
    """`scarp evaluate` counts pixels, and landslides by size, as the evaluation of networks does."""
    rng = np.random.default_rng(4)
    masks = []
    for name in ("map", "truth"):
        rough = ndimage.gaussian_filter(rng.random((HEIGHT, WIDTH)), 1.5) + 0.4 * ndimage.gaussian_filter(rng.random((HEIGHT, WIDTH)), 12)
        masks.append(rough > np.quantile(rough, 0.8))
        masks[-1] |= masks[0]  # so that some of the truth is found
        masks[-1][:, 200:] = rough[:, 200:] > np.quantile(rough, 0.85)
        profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 1, "dtype": "uint8", "crs": "EPSG:32654"}
        with rasterio.open(tmp_path / f"{name}.tif", "w", transform=from_origin(600000, 4700000, 10, 10), **profile) as file:
            file.write(masks[-1].astype(np.uint8), 1)
    scarp("evaluate", tmp_path / "map.tif", tmp_path / "truth.tif", "--json", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())

    predicted, truth = masks
    assert scores["pixels"]["true_positive"] == int((predicted & truth).sum())
    assert scores["pixels"]["false_positive"] == int((predicted & ~truth).sum())
    assert scores["pixels"]["false_negative"] == int((truth & ~predicted).sum())
    counted = objects.count(predicted[None], truth[None], np.ones((1, HEIGHT, WIDTH), bool))
    rows = {row["class"]: row for row in scores["objects"]["classes"]}
    assert list(rows) == [*objects.CLASSES, "all"]
    for i, name in enumerate(objects.CLASSES):
        row = [int(a[0, i]) for a in (counted.reference, counted.found, counted.predicted, counted.right)]
        assert [rows[name][k] for k in ("true", "found", "mapped", "right")] == row, name
    assert 0 < rows["all"]["found"] < rows["all"]["true"]
