"""The published data set's layout, written small, read, and trained on."""

import argparse
import csv
import json
import os
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import torch
from rasterio.crs import CRS
from rasterio.transform import from_origin

from scarp_models import inventory, published, train_published
from scarp_models.bbunet import BANDS, BBUnet
from scarp_models.checkpoint import CheckpointError
from scarp_models.data import Sampler
from scarp_models.published import Couple, Couples, couples, make_couples, windows
from scarp_models.train_published import Augment, Epochs, Recipe, affine, halves, load_moco, match_histograms

DATA = Path(os.environ.get("SCARP_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
INVENTORY = DATA / "inventories" / "colombia_landslides.gpkg"
GRID = {"driver": "GTiff", "crs": CRS.from_epsg(32618), "transform": from_origin(500000, 2000000, 10, 10)}
SCAR = (slice(60, 130), slice(100, 140))


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch.set_num_threads(1)
    published._open.cache_clear()
    published._drawn.cache_clear()


def event(root: Path, name: str, size: int = 256, listed: bool = True) -> Path:
    """An event of two dates before and two after, with one scar, as the paper's notebooks leave it."""
    folder, rng = root / name, np.random.default_rng(len(name))
    scar = tuple(slice(s.start * size // 256, s.stop * size // 256) for s in SCAR)
    names = [*sorted(BANDS), "SCL", "cloud_mask"]  # not in the order of the network
    for side in ("pre", "post"):
        (folder / side).mkdir(parents=True)
        for date in range(2):
            values = rng.integers(300, 700, (len(names), size, size)).astype(np.uint16)
            values[names.index("B08")] += 2000
            if side == "post":
                values[(slice(None), *scar)] = 1800
            values[-1] = 0
            values[-1, :16, :32] = 1 if date else 3  # a cloud on the second date, a shadow on the first
            write(folder / side / f"2020-0{date + 1}-01T000000Z_cc{date}.tif", values, names)
    dem = np.broadcast_to(np.linspace(100, 900, size, dtype=np.float32), (1, size, size))
    write(folder / "dem.tif", dem.round().astype(np.int16), nodata=-9999)
    write(folder / "slope.tif", np.full((1, size, size), 25, np.float32), nodata=-1)
    write(folder / "aspect.tif", np.full((1, size, size), 90, np.float32), nodata=-1)
    polygons = np.zeros((1, size, size), np.uint8)
    polygons[(0, *scar)] = 255
    write(folder / "polygons.tif", polygons)
    if listed:
        with open(folder / "patch_couples_size256_stride128.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow("h_start h_end w_start w_end fn_pre fn_post fn_dem fn_slope fn_aspect fn_poly landslide_pixels cloud_cover".split())
            terrain = [f"images/{name}/{n}.tif" for n in ("dem", "slope", "aspect", "polygons")]
            for pre in sorted((folder / "pre").iterdir()):
                for post in sorted((folder / "post").iterdir()):
                    dates = [f"images/{name}/{p.parent.name}/{p.name}" for p in (pre, post)]
                    rows.writerow([0, size, 0, size, *dates, *terrain, 2800, 0.01])
    return folder


def write(path: Path, values: np.ndarray, names: list[str] | None = None, **more: object) -> None:
    count, height, width = values.shape
    with rasterio.open(path, "w", **GRID, count=count, height=height, width=width, dtype=values.dtype, **more) as file:
        file.write(values)
        if names:
            file.descriptions = names


def geopackage(path: Path, polygons: list[shapely.Polygon], epsg: int) -> Path:
    """The parts of a GeoPackage that hold polygons."""
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id INTEGER, organization TEXT, organization_coordsys_id INTEGER);"
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);"
            'CREATE TABLE "land slides" (id INTEGER, geom BLOB);'
        )
        database.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (7, 'EPSG', ?)", (epsg,))
        database.execute("INSERT INTO gpkg_geometry_columns VALUES ('land slides', 'geom', 7)")
        for i, p in enumerate(polygons):
            head = b"GP" + bytes([0, (i % 2) << 1 | 1]) + struct.pack("<i", 7) + struct.pack("<4d", 0, 0, 0, 0) * (i % 2)
            database.execute('INSERT INTO "land slides" VALUES (?, ?)', (i, head + shapely.to_wkb(p)))
        database.execute('INSERT INTO "land slides" VALUES (99, NULL)')
    database.close()
    return path


def box(rows: slice, columns: slice) -> shapely.Polygon:
    left, top = 500000, 2000000
    return shapely.box(left + 10 * columns.start, top - 10 * rows.stop, left + 10 * columns.stop, top - 10 * rows.start)


def test_a_listed_couple_is_read_as_the_network_wants_it(tmp_path: Path) -> None:
    folder = event(tmp_path / "nasa", "palu")
    listed = couples(tmp_path, "palu")
    assert len(listed) == 4 and listed[0].event == folder and listed[0].window == (0, 256, 0, 256)
    batch = Couples(folder, listed).batch(np.array([0, 3]))
    assert batch.pre.shape == (2, 12, 256, 256) and batch.terrain.shape == (2, 3, 256, 256)
    assert batch.pre[0, BANDS.index("B08")].min() >= 2300 > batch.pre[0, BANDS.index("B8A")].max()
    assert batch.mask[0].sum() == 70 * 40 and batch.terrain[0, 1].mean() == 25 and batch.terrain[0, 2].mean() == 90
    # Shadow stays, thick cloud on either date goes.
    assert batch.valid[0].all() and not batch.valid[1, 0, :16, :32].any() and batch.valid[1, 0, 16:].all()
    assert [x.shape[1] for x in batch.inputs()] == [12, 12, 4]


def test_a_list_can_be_made_and_says_the_same(tmp_path: Path) -> None:
    folder = event(tmp_path, "palu", listed=False)
    made = couples(tmp_path, "palu")
    assert len(made) == 4 and made == make_couples(folder)
    assert {c.landslide_pixels for c in made} == {2800}
    assert sorted(c.cloud_cover for c in made) == pytest.approx([0] + [512 / 65536] * 3)


def test_windows_reach_the_edges() -> None:
    assert windows(256, 300) == [(0, 256, 0, 256), (0, 256, 44, 300)]
    assert len(windows(512, 384)) == 6
    with pytest.raises(ValueError, match="no window of 256"):
        windows(200, 400)


def test_an_inventory_stands_in_for_polygons(tmp_path: Path) -> None:
    folder = event(tmp_path, "palu")
    before = Couples(folder, couples(tmp_path, "palu")).batch(np.array([0])).mask
    (folder / "polygons.tif").unlink()
    with pytest.raises(ValueError, match="neither polygons.tif nor an inventory"):
        Couples(folder, couples(tmp_path, "palu")).batch(np.array([0]))
    (tmp_path / "inventories").mkdir()
    halves_of_it = [box(slice(60, 100), slice(100, 140)), box(slice(100, 130), slice(100, 140))]
    geopackage(tmp_path / "inventories" / "palu_landslides.gpkg", halves_of_it, 32618)
    assert torch.equal(Couples(folder, couples(tmp_path, "palu")).batch(np.array([0])).mask, before)


def test_an_inventory_is_brought_to_the_grid(tmp_path: Path) -> None:
    there = shapely.transform(
        box(slice(60, 130), slice(100, 140)),
        lambda xy: np.array(rasterio.warp.transform(GRID["crs"], CRS.from_epsg(4326), *xy.T)).T,
    )
    path = geopackage(tmp_path / "a.gpkg", [there], 4326)
    drawn = inventory.rasterise(path, (256, 256), GRID["transform"], GRID["crs"])
    assert drawn.sum() == pytest.approx(2800, rel=0.02) and drawn[SCAR].mean() > 0.97
    (tmp_path / "b.gpkg").write_bytes(b"no database at all, though long enough to be one" * 10)
    with pytest.raises(ValueError, match="not a GeoPackage"):
        inventory.read(tmp_path / "b.gpkg")


def test_files_that_lack_something_are_named(tmp_path: Path) -> None:
    folder = event(tmp_path, "palu")
    with pytest.raises(ValueError, match="no event 'haiti'"):
        couples(tmp_path, "haiti")
    (folder / "pre" / "2020-01-01T000000Z_cc0.tif").rename(tmp_path / "elsewhere.tif")
    with pytest.raises(ValueError, match="cc0.tif lies neither in"):
        couples(tmp_path, "palu")
    names = ["B02", "cloud_mask"]
    write(folder / "pre" / "2020-01-01T000000Z_cc0.tif", np.ones((2, 256, 256), np.uint16), names)
    with pytest.raises(ValueError, match="described as B01, B03"):
        Couples(folder, couples(tmp_path, "palu")).batch(np.array([0]))


def test_epochs_hold_the_papers_shares() -> None:
    def one(i: int, pixels: int, cloud: float = 0.0) -> Couple:
        return Couple(Path("e"), Path(f"pre{i % 3}"), Path(f"post{i % 5}"), (0, 256, 128 * (i // 15), 0), pixels, cloud)

    listed = [one(i, 50 if i % 2 else 900) for i in range(150)] + [one(0, 77, cloud=0.3)]
    recipe = Recipe(few=30, many=30, artificial=10)
    epochs = Epochs(listed, recipe)
    assert len(epochs.listed) == 150
    made = epochs.artificial(np.random.default_rng(0))
    assert len(made) == 21 and all(c.landslide_pixels == 0 for c in made)
    kinds = {(c.pre.name[:3], c.post.name[:3]) for c in made}
    assert kinds == {("pos", "pre"), ("pos", "pos"), ("pre", "pre")} and all(c.pre != c.post for c in made)
    drawn = epochs.draw(np.random.default_rng(1))
    assert len(drawn) == 70 and sum(c.landslide_pixels > 200 for c in drawn) == 30
    a, b = halves([one(i, 900) for i in range(9)] + [one(1, 100)], recipe)
    assert len(a) == 4 and len(b) == 5 and len({*a, *b}) == 9


def test_swapped_couples_have_no_landslide(tmp_path: Path) -> None:
    folder = event(tmp_path, "palu")
    swapped = couples(tmp_path, "palu")[0].swapped()
    batch = Couples(folder, [swapped]).batch(np.array([0]))
    assert batch.mask.sum() == 0 and batch.pre[0, 0, 80, 120] == 1800 and batch.valid.all()


def test_changes_of_the_paper() -> None:
    rng = torch.Generator().manual_seed(0)
    dark = torch.empty(2, 32, 32).uniform_(100, 300, generator=rng)
    bright = torch.empty(2, 32, 32).uniform_(2000, 5000, generator=rng)
    matched = match_histograms(dark, bright)
    assert float(matched.mean()) == pytest.approx(float(bright.mean()), rel=0.02)
    assert torch.equal(matched[0].flatten().argmax(), dark[0].round().flatten().argmax()) or matched.max() > 4900
    torch.testing.assert_close(affine(dark, np.array([0.0, 0.0]), 0.0), dark, rtol=1e-4, atol=0.01)
    torch.testing.assert_close(affine(dark, np.array([1.0, 0.0]), 0.0)[:, 1:], dark[:, :-1], rtol=1e-3, atol=0.5)
    torch.testing.assert_close(affine(dark, np.array([0.0, 1.0]), 0.0)[:, :, 1:], dark[:, :, :-1], rtol=1e-3, atol=0.5)


def test_augmentation_turns_mask_and_aspect_with_the_image(tmp_path: Path) -> None:
    folder = event(tmp_path, "palu")
    source = Couples(folder, couples(tmp_path, "palu"))
    quiet = Augment(Recipe(match=0, brightness=0, shift=0), source, seed=3)
    batch = quiet(source.batch(np.array([0, 1, 2, 3])))
    for i in range(4):
        scar = batch.mask[i, 0] > 0
        assert (batch.post[i, 0][scar] == 1800).all() and scar.sum() == 2800
    assert len({float(a) for a in batch.terrain[:, 2].mean((1, 2))}) > 1
    loud = Augment(Recipe(match=1, brightness=1, shift=1), source, seed=3)(source.batch(np.array([0])))
    assert torch.isfinite(loud.pre).all() and not torch.equal(loud.pre, source.batch(np.array([0])).pre)


def test_moco_weights_lose_the_cirrus_band(tmp_path: Path) -> None:
    model = BBUnet()
    state = {f"module.encoder_q.{k}": v.clone() for k, v in model.encoder.state_dict().items()}
    first = torch.arange(13.0)[None, :, None, None].expand(64, 13, 7, 7).clone()
    state |= {"module.encoder_q.conv1.weight": first, "module.encoder_q.fc.0.weight": torch.ones(2), "module.queue": torch.ones(3)}
    torch.save({"state_dict": state, "epoch": 99}, tmp_path / "moco.pth")
    assert load_moco(model, tmp_path / "moco.pth") > 100
    assert model.encoder.conv1.weight[0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="MoCo"):
        load_moco(model, tmp_path / "other.pth")


def test_the_command_trains_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("palu", "iburi", "haiti"):
        event(tmp_path / "data", name, size=64)
    parser = argparse.ArgumentParser()
    train_published.register(parser.add_subparsers())
    arguments = ["train-published", "--root", tmp_path / "data", "--out", tmp_path / "run", "--train", "palu", "iburi",
                 "--network", "bbunet-lite", "--epochs", 2, "--pairs", 2, "--batch", 2, "--threads", 1, "--device", "cpu", "--bfloat16"]  # fmt: skip
    options = parser.parse_args([str(a) for a in arguments])
    options.run(options)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in log] == [1, 2] and log[0]["score"] == pytest.approx(-log[0]["loss_validation"])
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["pace"]["schedule"] == "exponential" and record["pace"]["rate"] == 1e-3 and record["couples"] == 8
    assert json.loads((tmp_path / "run" / "test.json").read_text())["patches"] == 2


def test_couples_can_be_drawn_like_patches(tmp_path: Path) -> None:
    folder = event(tmp_path, "palu")
    assert len(Sampler([Couples(folder, couples(tmp_path, "palu"))], seed=0).draw(2)) == 2


@pytest.mark.skipif(not INVENTORY.exists(), reason="SCARP_TEST_DATA is absent")
def test_a_published_inventory_is_read() -> None:
    ((crs, polygons),) = inventory.read(INVENTORY)
    assert crs.to_epsg() == 4326 and len(polygons) == 838
    west, south, east, north = shapely.total_bounds(polygons)
    assert -76 < west < east < -72 and 2 < south < north < 5
    shape, to = (600, 600), rasterio.transform.from_bounds(west, south, east, north, 600, 600)
    assert 0 < inventory.rasterise(INVENTORY, shape, to, crs).mean() < 0.2
