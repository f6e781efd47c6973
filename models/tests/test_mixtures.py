"""Real images with a simulated "before", and real dates with simulated landslides."""

from pathlib import Path

import numpy as np
import pytest
from conftest import make_patches
from scipy.io import netcdf_file

from scarp_models import mixtures, negatives
from scarp_models.bbunet import BANDS
from scarp_models.data import PatchSet

VISIBLE = [BANDS.index(b) for b in ("B02", "B03", "B04")]


@pytest.fixture
def rgb(tmp_path: Path) -> Path:
    """Six green 8-bit patches with one bright landslide each; the last one belongs to another block."""
    rng = np.random.default_rng(1)
    images = (np.array([60, 90, 50]) * rng.normal(1, 0.08, (6, 64, 64, 3))).clip(1, 255)
    masks = np.zeros((6, 64, 64), np.uint8)
    masks[:, 24:36, 20:44] = 1
    images[masks > 0] = [230, 200, 170]
    path = tmp_path / "rgb.npz"
    np.savez(path, images=images.astype(np.uint8), masks=masks, index=np.array([1, 2, 3, 4, 5, 301]))
    return path


def test_what_is_new_is_gone_before_and_what_is_old_is_in_both(rgb: Path) -> None:
    single = mixtures.rgb_patches(rgb, np.random.default_rng(0))
    found_new = found_old = False
    for seed in range(40):
        before, after, new = mixtures.pair(single.bands[0], single.mask[0], np.random.default_rng(seed))
        red, slide = BANDS.index("B04"), single.mask[0]
        around = ~slide
        contrast = [date[red][slide].mean() - date[red][around].mean() for date in (before, after)]
        assert contrast[1] > 500, "the landslide is in the later image"
        if new.any():
            found_new = True
            assert abs(contrast[0]) < 0.15 * contrast[1], "and was refilled in the earlier one"
        else:
            found_old = True
            assert contrast[0] > 0.5 * contrast[1], "an old one is in both"
    assert found_new and found_old


def test_pairs_are_a_patch_set_with_the_bands_of_the_source_alone(rgb: Path, tmp_path: Path) -> None:
    single = mixtures.rgb_patches(rgb, np.random.default_rng(0), without_blocks=frozenset({3}))
    assert mixtures.write_pairs(single, tmp_path / "pairs", seed=4, repeats=2) == 10, "the neighbour is left out"
    patches = PatchSet(tmp_path / "pairs")
    batch = patches.batch(np.arange(10))
    absent = [b for b in range(len(BANDS)) if b not in VISIBLE]
    assert not batch.pre[:, absent].any() and not batch.post[:, absent].any()
    assert (batch.pre[:, VISIBLE] > 0).all() and (batch.post[:, VISIBLE] > 0).all(), "nothing turns into no data"
    assert not np.array_equal(patches.pre[0], patches.pre[5]), "repeats differ"
    again = tmp_path / "again"
    mixtures.write_pairs(single, again, seed=4, repeats=2)
    np.testing.assert_array_equal(PatchSet(again).pre, patches.pre)


def test_aspect_follows_from_the_elevation(tmp_path: Path) -> None:
    images = np.full((1, 32, 32, 14), 500, np.uint16)
    images[..., 13] = 1000 + 10 * np.arange(32)[None, None, :]  # rises to the east: it looks west
    np.savez(tmp_path / "bands.npz", images=images, masks=np.zeros((1, 32, 32), np.uint8), index=np.array([1]))
    single = mixtures.band_patches(tmp_path / "bands.npz")
    assert single.terrain[0, 2, 16, 16] == pytest.approx(270, abs=1)
    assert not single.bands[0, BANDS.index("B8A")].any()


def write_place(folder: Path, dates: int = 5) -> None:
    """A time series as NetCDF: 10 m bands of 64 × 64, 20 m bands of 32 × 32, one date all cloud."""
    rng = np.random.default_rng(3)
    fine, coarse = ("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL")
    for resolution, names, size in ((10, fine, 64), (20, coarse, 32)):
        with netcdf_file(folder / f"S2_L2A_{resolution}m_PLACE_32631_2018.nc", "w") as file:
            for name, length in (("timestamp", dates), ("y", size), ("x", size)):
                file.createDimension(name, length)
                file.createVariable(name, "d", (name,))[:] = np.arange(length)
            for name in names:
                values = rng.integers(300, 3000, (dates, size, size))
                if name == "SCL":
                    values = np.full(values.shape, 4)
                    values[2] = 9
                file.createVariable(name, "i2", ("timestamp", "y", "x"))[:] = values


def test_farmland_pairs_hold_values_and_half_of_them_landslides(tmp_path: Path) -> None:
    source = tmp_path / "series"
    source.mkdir()
    write_place(source)
    slides = PatchSet(make_patches(tmp_path / "slides", seed=2, count=8, size=128))
    assert negatives.build(source, tmp_path / "farm", pairs=20, size=128, slides=slides) == 20
    farm = PatchSet(tmp_path / "farm")
    absent = [BANDS.index(b) for b in ("B01", "B09")]
    present = [b for b in range(len(BANDS)) if b not in absent]
    assert (farm.pre[:, present] > 0).all() and not farm.pre[:, absent].any()
    positive = farm.positives()
    assert not positive[::2].any() and positive[1::2].any()
    assert not farm.terrain[0].any() and farm.terrain[1].any()


def test_a_folder_without_time_series_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=str(tmp_path)):
        negatives.build(tmp_path, tmp_path / "out")
