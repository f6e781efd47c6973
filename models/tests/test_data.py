from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_patches

from scarp_models.augment import Augmentation, Augmenter, dihedral, dihedral_aspect, shift
from scarp_models.bbunet import BANDS
from scarp_models.data import PatchSet, Sampler, normalise_bands, normalise_terrain

NOTHING = Augmentation(
    gain=0, band_jitter=0, match=0, shift=0, same_pair=0, swapped_pair=0, rgb_only=0,
    rgb_nir_only=0, no_60m=0, some_bands=0, haze=0, no_terrain=0, no_data=0, noise_dn=0,
)  # fmt: skip


def test_normalisation_follows_the_paper() -> None:
    assert normalise_bands(torch.tensor([-5.0, 0, 2500, 20000])).tolist() == [0, 0, 0.25, 1]
    raw = torch.tensor([1500.0, 45, 180]).reshape(1, 3, 1, 1)
    # Half of 180° is 90°: sine 1, cosine 0.
    assert normalise_terrain(raw).flatten().tolist() == pytest.approx([0.5, 0.5, 1, 0.5])


def test_cloud_and_gaps_are_invalid_but_shadow_is_not(patches: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    assert not batch.valid[0, 0, :8].any() and batch.valid[0, 0, 8:].all()
    assert not batch.valid[1, 0, :, :4].any() and batch.valid[1, 0, :, 4:].all()
    assert batch.valid[2:].all()


def test_files_of_different_lengths_are_refused(patches: Path) -> None:
    np.save(patches / "mask.npy", np.zeros((3, 64, 64), np.uint8))
    with pytest.raises(ValueError, match="different numbers"):
        PatchSet(patches)


def test_sampler_balances_rich_and_poor_patches(patches: Path) -> None:
    batch = Sampler([PatchSet(patches)], seed=1).draw(16)
    assert int((batch.mask.flatten(1).sum(1) > 0).sum()) == 8


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_aspect_turns_with_the_image(turns: int, flip: bool) -> None:
    """The aspect of a turned surface is the turned aspect of the surface."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    surface = 0.2 * x + 0.5 * y + 0.02 * x * y
    expected = aspect_of(dihedral(surface, turns, flip))
    got = dihedral_aspect(dihedral(aspect_of(surface), turns, flip), turns, flip)
    apart = (got - expected + 180) % 360 - 180
    assert apart.abs().max() < 0.01


def aspect_of(surface: torch.Tensor) -> torch.Tensor:
    south, east = torch.gradient(surface)
    return torch.rad2deg(torch.atan2(-east, south)) % 360


def test_without_any_change_only_geometry_moves(patches: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    out = Augmenter(NOTHING, seed=2)(batch)
    for i in range(8):
        assert torch.equal(out.pre[i].flatten(1).sort().values, batch.pre[i].flatten(1).sort().values)
        scar = out.mask[i, 0] > 0
        assert int(scar.sum()) == int(batch.mask[i].sum())
        if scar.any():
            assert out.post[i, 3][scar].mean() > 2 * out.post[i, 3][~scar].mean()


def test_pairs_without_change_have_empty_masks(patches: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    always = Augmentation(**(NOTHING.__dict__ | {"same_pair": 0.5}))
    out = Augmenter(always, seed=2)(batch)
    assert out.mask.sum() == 0
    assert torch.equal(out.pre, out.post)


def test_pixels_without_data_stay_zero(patches: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    strong = Augmentation(gain=1, match=1, shift=1, no_data=1, noise_dn=50)
    out = Augmenter(strong, seed=4)(batch)
    gone = (out.pre[:, 3:4] == 0) | (out.post[:, 3:4] == 0)
    assert gone.any() and not (out.valid & gone).any()


def test_augmentation_is_reproducible(patches: Path) -> None:
    first, second = (Augmenter(Augmentation(), seed=9)(PatchSet(patches).batch(np.arange(8))) for _ in range(2))
    assert torch.equal(first.post, second.post) and torch.equal(first.mask, second.mask)


def test_shift_moves_by_parts_of_a_pixel() -> None:
    x = torch.full((1, 5, 5), 1.0)
    x[0, 2, 2] = 3
    moved = shift(x, 0, 0.25)
    assert moved[0, 2].tolist() == pytest.approx([1, 1, 2.5, 1.5, 1])
    assert torch.equal(shift(x, 0, 0), x)


def test_shares_say_how_much_comes_from_each_set(patches: Path, tmp_path: Path) -> None:
    small = PatchSet(make_patches(tmp_path / "small", seed=5, count=2))
    small.terrain = np.full_like(small.terrain, -1)
    sampler = Sampler([PatchSet(patches), small], seed=3, shares=[0.25, 0.75])
    from_small = np.mean([(sampler.draw(8).terrain[:, 0, 0, 0] == -1).float().mean() for _ in range(60)])
    assert from_small == pytest.approx(0.75, abs=0.08)
    with pytest.raises(ValueError, match="1 shares for 2 patch sets"):
        Sampler([PatchSet(patches), small], seed=3, shares=[1.0])


def test_usual_groups_of_bands_are_left_out(patches: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    absent = [b for b, band in enumerate(BANDS) if band not in ("B02", "B03", "B04")]
    out = Augmenter(Augmentation(**(NOTHING.__dict__ | {"rgb_only": 1.0})), seed=1)(batch)
    assert not out.pre[:, absent].any() and not out.post[:, absent].any() and out.post[:, 3].any()
    some = Augmenter(Augmentation(**(NOTHING.__dict__ | {"some_bands": 1.0})), seed=1)(batch)
    gone = (some.post.amax((2, 3)) == 0).sum(1)
    assert gone.min() >= 1 and gone.max() <= 4 and (some.post[:, 1:4].amax((2, 3)) > 0).all()


def test_haze_is_strongest_in_the_blue(patches: Path) -> None:
    batch = PatchSet(patches).batch(np.arange(8))
    hazy = Augmenter(Augmentation(**(NOTHING.__dict__ | {"haze": 1.0, "haze_dn": (300.0, 300.0)})), seed=1)(batch)
    added = hazy.post.mean((0, 2, 3)) - batch.post.mean((0, 2, 3))
    assert added[1] == pytest.approx(300, abs=15) and (added[1:].diff() < 0).all()
