"""Training goes on from an exported network, whose batch norms were folded away."""

from pathlib import Path

import numpy as np
import torch

from scarp_models import networks, warmstart
from scarp_models.bbunet import BBUnet
from scarp_models.data import PatchSet
from scarp_models.export import export


def test_an_exported_network_comes_back_with_batch_norms(network: BBUnet, patches: Path, tmp_path: Path) -> None:
    exported = export(networks.get("bbunet"), network, tmp_path / "bbunet.onnx", {}, half=False).path
    batch = PatchSet(patches).batch(np.arange(8))
    restored = warmstart.from_onnx(exported, [batch])
    with torch.no_grad():
        expected = network(*batch.inputs())
        torch.testing.assert_close(restored(*batch.inputs()), expected, atol=1e-3, rtol=1e-3)
        # In training mode a batch norm uses the batch's own moments: those that were put in.
        trained = restored.train()(*batch.inputs())
    torch.testing.assert_close(trained, expected, atol=2e-2, rtol=2e-2)
