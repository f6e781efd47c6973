"""The tiny networks that the Go tests run."""

import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from scarp_models import manifest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    spec = importlib.util.spec_from_file_location("make_testdata", ROOT / "models" / "scripts" / "make_testdata.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = tmp_path
    module.main()
    return tmp_path


@pytest.mark.parametrize("name", ["tiny-bitemporal", "tiny-single", "clouds/tiny-clouds"])
def test_files_are_what_the_script_makes(made: Path, name: str) -> None:
    for file in ("tiny.onnx", "manifest.yaml"):
        assert (made / name / file).read_bytes() == (ROOT / "inference" / "testdata" / name / file).read_bytes()
    manifest.verify(made / name / "manifest.yaml")


def test_tiny_network_sees_a_scar_on_a_slope_only(made: Path) -> None:
    session = onnxruntime.InferenceSession(str(made / "tiny-bitemporal" / "tiny.onnx"))
    pre = np.full((2, 12, 64, 96), 0.04, np.float32)
    pre[:, 6:10] = 0.3
    post, dem = pre.copy(), np.zeros((2, 4, 64, 96), np.float32)
    post[:, :, 20:40, 30:60] = 0.18
    dem[0, 1], dem[1, 1] = 25 / 90, 1 / 90
    # The 5 × 5 smoothing lets the mask grow by up to a pixel.
    steep, flat = session.run(None, {"pre": pre, "post": post, "dem": dem})[0][:, 0]
    assert steep[30, 45] > 2 and (steep > 0).sum() == pytest.approx(600, abs=120)
    assert (flat < -2).all()
