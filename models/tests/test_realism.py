"""Simulated patches beside real ones."""

from pathlib import Path

import numpy as np
import pytest

from scarp_models import realism
from scarp_models.bbunet import BANDS
from scarp_models.data import PatchSet
from scarp_models.mixtures import Single


def test_known_values_are_described() -> None:
    bands = np.zeros((1, 12, 32, 32), np.float32)
    mask = np.zeros((1, 32, 32), bool)
    mask[0, 4:12, 4:12] = True
    mask[0, 20, 20] = True
    bands[0, BANDS.index("B04")] = np.where(mask[0], 1500, 500)
    terrain = np.zeros((1, 3, 32, 32), np.float32)
    terrain[0, 1] = np.where(mask[0], 35, 20)
    found = realism.describe(Single(bands, mask, terrain))
    assert list(found.bands) == ["B04"]
    assert (found.bands["B04"].land, found.bands["B04"].slides) == ([500] * 3, [1500] * 3)
    assert found.contrast["B04"] == [3.0] * 5
    assert found.sizes[0] < found.sizes[-1] <= 64
    assert found.slope == (35.0, 20.0)


def test_cloud_does_not_count(patches: Path) -> None:
    bright = PatchSet(patches)
    bright.post = np.array(bright.post)
    bright.post[0, :, :8] = 9000
    found = realism.describe(realism.simulated(bright))
    assert found.bands["B04"].land[2] < 2000
    assert found.contrast["B04"] and found.contrast["B04"][2] == pytest.approx(3.8, abs=0.4)
