import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scarp_models.bbunet import BBUnet  # noqa: E402


@pytest.fixture(scope="session")
def network() -> BBUnet:
    """A BBUnet with random weights and batch norms that are not the identity."""
    torch.manual_seed(3)
    model = BBUnet()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.7, 1.3)
            module.weight.data.uniform_(0.5, 1.0)
    return model.eval()


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """Eight 64 × 64 patches: green slopes, half of them with a bright new scar; one cloud, one gap."""
    return make_patches(tmp_path / "patches", seed=0)


def make_patches(folder: Path, seed: int, count: int = 8, size: int = 64) -> Path:
    rng = np.random.default_rng(seed)
    green = np.array([300, 350, 600, 400, 900, 2200, 2600, 2800, 2900, 2900, 1700, 900])
    bare = np.array([700, 900, 1200, 1500, 1700, 1900, 2000, 2100, 2200, 2200, 2600, 2300])
    pre = (green[None, :, None, None] * rng.normal(1, 0.05, (count, 12, size, size))).clip(1)
    post = pre.copy()
    mask = np.zeros((count, size, size), np.uint8)
    for i in range(0, count, 2):
        mask[i, 20:40, 10:30] = 1
        post[i][:, 20:40, 10:30] = bare[:, None, None] * rng.normal(1, 0.05, (12, 20, 20))
    terrain = np.zeros((count, 3, size, size), np.float32)
    terrain[:, 0], terrain[:, 1], terrain[:, 2] = 800, 30, 120
    cloud = np.zeros((count, 2, size, size), np.uint8)
    cloud[0, 1, :8] = 1
    cloud[0, 0, 8:12] = 3
    pre[1, :, :, :4] = 0
    folder.mkdir(parents=True)
    np.save(folder / "pre.npy", pre.astype(np.uint16))
    np.save(folder / "post.npy", post.astype(np.uint16))
    np.save(folder / "terrain.npy", terrain)
    np.save(folder / "mask.npy", mask)
    np.save(folder / "cloud.npy", cloud)
    return folder
