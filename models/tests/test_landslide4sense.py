"""Landslide4Sense in all its forms, and what training may not see of it."""

import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import make_patches

from scarp_models.data import PatchSet
from scarp_models.landslide4sense import (
    CHANNELS,
    DIVISORS,
    PEAK,
    PEAK_SPREAD,
    Patches,
    in_blocks,
    open_h5,
    open_npz,
    reserved_blocks,
    without_blocks,
)
from scarp_models.single_augment import Changes, change, only
from scarp_models.toa import SurfacePatches

DATA = Path(os.environ.get("SCARP_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
REAL = DATA / "landslide4sense"


def made(index: list[int], eight_bit: bool, size: int = 32, seed: int = 0) -> Patches:
    """Green ground with a bright brown scar in each patch."""
    rng = np.random.default_rng(seed)
    ground = np.array([1000, 750, 650, 400, 700, 1700, 2000, 2100, 900, 20, 1200, 600, 20, 1500])
    scar = np.array([1150, 1050, 1100, 1200, 1300, 1500, 1700, 1750, 850, 20, 2100, 1700, 35, 1500])
    masks = np.zeros((len(index), size, size), np.uint8)
    masks[:, 8:20, 6:16] = 1
    dn = np.where(masks[..., None] > 0, scar, ground) * rng.normal(1, 0.05, (*masks.shape, 14))
    dn = np.rint(dn).clip(0).astype(np.uint16)
    if not eight_bit:
        return Patches("bands", dn, masks, np.array(index, np.int32))
    stored = (dn / DIVISORS)[..., [3, 2, 1]]
    peak = stored.max((1, 2, 3), keepdims=True)
    return Patches("rgb", np.floor(255 * stored / peak).astype(np.uint8), masks, np.array(index, np.int32))


def save(patches: Patches, path: Path) -> Path:
    np.savez(path, images=patches.images, masks=patches.masks, index=patches.index)
    return path


def save_h5(patches: Patches, folder: Path) -> Path:
    """The benchmark's own layout."""
    for sub in ("img", "mask"):
        (folder / "TrainData" / sub).mkdir(parents=True)
    for image, mask, number in zip(patches.images, patches.masks, patches.index, strict=True):
        with h5py.File(folder / "TrainData" / "img" / f"image_{number}.h5", "w") as file:
            file["img"] = image / DIVISORS
        with h5py.File(folder / "TrainData" / "mask" / f"mask_{number}.h5", "w") as file:
            file["mask"] = mask
    return folder


def test_hdf5_and_npz_give_the_same_samples(tmp_path: Path) -> None:
    patches = made([7, 12, 30], eight_bit=False)
    a = open_h5(save_h5(patches, tmp_path / "benchmark")).batch(np.arange(3))
    b = open_npz(save(patches, tmp_path / "a.npz")).batch(np.arange(3))
    assert torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask) and a.present.all()
    np.testing.assert_allclose(a.image[1, 3].numpy(), patches.images[1, ..., 3] / DIVISORS[3], rtol=1e-6)


def test_normalised_files_are_refused(tmp_path: Path) -> None:
    folder = save_h5(made([3], eight_bit=False), tmp_path)
    with h5py.File(folder / "TrainData" / "img" / "image_3.h5", "r+") as file:
        file["img"][...] = (file["img"][:] - 0.4914) / 0.9325
    with pytest.raises(ValueError, match="is it normalised"):
        open_h5(folder)


def test_missing_masks_are_named(tmp_path: Path) -> None:
    folder = save_h5(made([3], eight_bit=False), tmp_path)
    (folder / "TrainData" / "mask" / "mask_3.h5").unlink()
    with pytest.raises(ValueError, match="mask_3.h5"):
        open_h5(folder)


def test_eight_bit_patches_get_a_scale_of_their_own(tmp_path: Path) -> None:
    rgb = made([1, 2], eight_bit=True)
    fixed = rgb.batch(np.arange(2))
    assert fixed.present[0].nonzero().flatten().tolist() == [1, 2, 3]
    assert fixed.image[:, 4:].abs().max() == 0
    assert fixed.image[0, 1:4].max() == pytest.approx(PEAK, rel=0.01)
    drawn = rgb.batch(np.arange(2), np.random.default_rng(3))
    ratio = (drawn.image[:, 3] / fixed.image[:, 3]).mean((1, 2))
    assert ratio[0] != pytest.approx(float(ratio[1]), rel=0.01)


def test_neighbours_of_a_left_out_block_go_with_it() -> None:
    patches = made([195, 198, 199, 200, 250, 299, 301, 302, 420], eight_bit=True)
    assert without_blocks(patches, [2]).index.tolist() == [195, 302, 420]
    assert in_blocks(patches, [2]).index.tolist() == [200, 250, 299]
    assert reserved_blocks(patches) == [3]


def test_changes_leave_absent_channels_at_the_fill_value() -> None:
    sample = made([1, 2, 4, 5], eight_bit=True).batch(np.arange(4))
    changed = change(sample, Changes(), np.random.default_rng(0))
    absent = [i for i in range(14) if i not in (1, 2, 3)]
    assert changed.image[:, absent].abs().max() == 0
    assert not torch.equal(changed.image, sample.image)
    assert changed.mask.sum() == sample.mask.sum()
    same = change(sample, Changes.none(), np.random.default_rng(0)).image
    torch.testing.assert_close(same, sample.image)


def test_image_and_mask_are_turned_and_magnified_together() -> None:
    square = np.zeros((8, 64, 64), np.uint8)
    square[:, 24:36, 20:40] = 1
    images = np.where(square[..., None] > 0, 200, 50).astype(np.uint8).repeat(3, -1)
    sample = Patches("squares", images, square, np.arange(8)).batch(np.arange(8))
    changed = change(sample, replace(Changes.none(), zoom=0.4), np.random.default_rng(3))
    sizes = changed.mask.sum((1, 2, 3))
    assert 1 <= (sizes == 240).sum() < 8, "half of them stay as they are"
    assert sizes.max() > 300 or sizes.min() < 180
    bright = changed.image[:, 3] > (sample.image[:, 3].max() + sample.image[:, 3].min()) / 2
    assert (bright == (changed.mask[:, 0] > 0)).float().mean() > 0.999


def test_fewer_channels_are_what_a_user_without_them_sees() -> None:
    sample = made([1], eight_bit=False).batch(np.arange(1))
    seen = only(sample, ("B04", "slope"))
    assert seen.present[0].nonzero().flatten().tolist() == [CHANNELS.index("B04"), CHANNELS.index("slope")]
    assert torch.equal(seen.image[:, 3], sample.image[:, 3]) and seen.image[:, 0].abs().max() == 0


def test_surface_patches_look_like_l1c(tmp_path: Path) -> None:
    sample = SurfacePatches(PatchSet(make_patches(tmp_path / "p", seed=0))).batch(np.arange(8))
    assert sample.present.all()
    # 350 of surface reflectance in the blue are 680 + 0.74 × 350 at the top of the atmosphere.
    assert float(sample.image[3, 1].mean()) * DIVISORS[1] == pytest.approx(680 + 0.74 * 350, rel=0.02)
    assert float(sample.image[0, 12].max()) == pytest.approx(30 / DIVISORS[12])
    # Cloud in the post image doesn't count; shadow in the pre image does.
    assert not sample.valid[0, 0, :8].any() and sample.valid[0, 0, 8:].all()


@pytest.mark.skipif(not (REAL / "l4s_train_14band.npz").exists(), reason="SCARP_TEST_DATA is absent")
def test_real_files_agree_with_what_is_said_of_them() -> None:
    bands = open_npz(REAL / "l4s_train_14band.npz")
    same = open_h5(REAL / "original_h5")
    for number in same.index:
        if number in bands.index:
            np.testing.assert_array_equal(same.images[same.index == number][0], bands.images[bands.index == number][0])
    peaks = (bands.images / DIVISORS)[..., 1:4].max((1, 2, 3))
    assert np.median(peaks) == pytest.approx(PEAK, rel=0.05)
    assert np.log(peaks).std() == pytest.approx(PEAK_SPREAD, abs=0.05)
    validation = open_npz(REAL / "l4s_rgb_validation.npz")
    assert set(validation.blocks() % 10) == {3}
    # The 8-bit form of a patch that has both, brought to its own scale, is that patch.
    number = int(np.intersect1d(validation.index, bands.index)[0])
    a = validation.batch(np.flatnonzero(validation.index == number)).image[0, 1:4]
    b = bands.batch(np.flatnonzero(bands.index == number)).image[0, 1:4]
    np.testing.assert_allclose((a / a.max() * b.max()).numpy(), b.numpy(), atol=float(b.max()) / 200)


@pytest.mark.skipif(not (DATA / "sentinel2" / "barbellino").exists(), reason="SCARP_TEST_DATA is absent")
def test_the_clear_sky_lines_fit_a_real_pair_of_levels() -> None:
    import rasterio

    from scarp_models.bbunet import BANDS
    from scarp_models.toa import top_of_atmosphere

    folder = DATA / "sentinel2" / "barbellino"
    for toa in sorted(folder.glob("*_TOA_10.tif")):
        date = toa.name.split("_")[1]
        boa = next(p for p in folder.glob("*_BOA_10.tif") if p.name.split("_")[1] == date)
        with rasterio.open(toa) as file:
            truth = file.read().astype(np.float32)
        with rasterio.open(boa) as file:
            values = file.read().astype(np.float32)
        surface = np.zeros((1, 12, *values.shape[1:]), np.float32)
        names = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B11", "B12")
        for name, layer in zip(names, values, strict=True):
            surface[0, BANDS.index(name)] = layer
        image, _ = top_of_atmosphere(surface, None)
        for channel, name in enumerate(CHANNELS[:12]):
            if name != "B10":
                seen = float(image[0, channel].mean()) * DIVISORS[channel]
                assert seen == pytest.approx(float(truth[channel].mean()), rel=0.25 if name == "B09" else 0.15), name
