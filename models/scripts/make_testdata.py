"""Writes the tiny networks of inference/testdata: real ONNX graphs of a few kB that need no training.

    python models/scripts/make_testdata.py            # from the repository root

They detect change by rule (vegetation lost, ground brighter, on a slope), so tests can see a scar
appear where one was put. The output is deterministic: running the script again changes nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2] / "inference" / "testdata"
BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
L4S = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12"]
L4S_DIVISORS = [
    1111.81236406, 824.63171476, 663.41636217, 445.17289745, 645.85829260, 1547.73508126,
    1960.44401001, 1941.32229668, 674.07572865, 9.04787384, 1113.98338755, 519.90397929,
]  # fmt: skip
L4S_SLOPE, L4S_ELEVATION = 20.29228266, 772.83144788


class Graph:
    """Collects nodes and weights; each method adds one operator and gives its output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, values: object) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: object) -> str:
        out = out or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def mix(self, x: str, channels: int, weights: dict[int, float], bias: float = 0.0) -> str:
        """A weighted sum of channels, as a 1×1 convolution."""
        kernel = np.zeros((1, channels, 1, 1), np.float32)
        for channel, weight in weights.items():
            kernel[0, channel] = weight
        return self.op("Conv", x, self.weight(kernel), self.weight([bias]))

    def smooth(self, x: str) -> str:
        """A 5×5 binomial filter with edge padding: the network's whole receptive field."""
        row = np.array([1, 4, 6, 4, 1], np.float32) / 16
        pads = numpy_helper.from_array(np.array([0, 0, 2, 2, 0, 0, 2, 2], np.int64), f"w{len(self.weights)}")
        self.weights.append(pads)
        padded = self.op("Pad", x, pads.name, mode="edge")
        return self.op("Conv", padded, self.weight(np.outer(row, row)[None, None]))

    def ratio(self, x: str, channels: int, low: int, high: int, scale: dict[int, float]) -> str:
        """(high − low) / (high + low), for bands brought to one scale."""
        difference = self.mix(x, channels, {high: scale[high], low: -scale[low]})
        total = self.mix(x, channels, {high: scale[high], low: scale[low]}, bias=1e-3)
        return self.op("Div", difference, total)

    def gate(self, x: str, channels: int, channel: int, degrees: float) -> str:
        """0 on ground flatter than 3°, 1 from 8° on."""
        return self.op("Clip", self.mix(x, channels, {channel: degrees / 5}, bias=-0.6), self.weight(0.0), self.weight(1.0))

    def build(self, name: str, inputs: dict[str, int], classes: int = 1) -> onnx.ModelProto:
        def shape(name: str, channels: int) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H", "W"])

        graph = helper.make_graph(
            self.nodes, name, [shape(*i) for i in inputs.items()], [shape("logits", classes)], self.weights
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="scarp")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return model


def bitemporal() -> onnx.ModelProto:
    """NDVI drop + twice the rise of visible brightness, smoothed, gated by slope."""
    g = Graph()
    one = {3: 1.0, 7: 1.0}
    drop = g.op("Sub", g.ratio("pre", 12, 3, 7, one), g.ratio("post", 12, 3, 7, one))
    visible = {1: 2 / 3, 2: 2 / 3, 3: 2 / 3}
    rise = g.op("Sub", g.mix("post", 12, visible), g.mix("pre", 12, visible))
    score = g.op("Relu", g.smooth(g.op("Add", drop, rise)))
    score = g.op("Mul", score, g.gate("dem", 4, 1, 90.0))
    g.op("Sub", g.op("Mul", score, g.weight(10.0)), g.weight(2.5), out="logits")
    return g.build("tiny-bitemporal", {"pre": 12, "post": 12, "dem": 4})


def single_date() -> onnx.ModelProto:
    """Little vegetation on a slope, from one Landslide4Sense patch."""
    g = Graph()
    ndvi = g.smooth(g.ratio("image", 14, 3, 7, {3: L4S_DIVISORS[3], 7: L4S_DIVISORS[7]}))
    bare = g.op("Relu", g.op("Sub", g.weight(0.7), ndvi))
    bare = g.op("Mul", bare, g.gate("image", 14, 12, L4S_SLOPE))
    g.op("Sub", g.op("Mul", bare, g.weight(10.0)), g.weight(2.5), out="logits")
    return g.build("tiny-single", {"image": 14})


def clouds() -> onnx.ModelProto:
    """Bright is cloud, very bright thick cloud, dark in the near infrared shadow; from B04, B03, B08."""
    g = Graph()
    kernel = np.zeros((4, 3, 1, 1), np.float32)
    kernel[1, :2], kernel[2, :2], kernel[3, 2] = 50, 25, -50  # clear, thick, thin, shadow
    g.op("Conv", "image", g.weight(kernel), g.weight([0, -35, -11, 4]), out="logits")
    return g.build("tiny-clouds", {"image": 3}, classes=4)


def manifest(name: str, sha256: str, kind: str, title: str, level: str, inputs: list[dict]) -> dict:
    return {
        "schema": 1,
        "name": name,
        "version": "1.0.0",
        "title": title,
        "description": "A rule written as a network, for tests. Receptive field 5 × 5.",
        "kind": kind,
        "model": {"file": "tiny.onnx", "sha256": sha256},
        "imagery": {"processing_level": level, "resolution_m": 10},
        "inputs": inputs,
        "output": {"tensor": "logits", "activation": "sigmoid", "channel": 0},
        "patch": {"size": 256, "multiple_of": 32, "halo": 2, "overlap": 64, "blend": "cosine"},
        "threshold": 0.5,
        "legend": {"title": "New landslide", "colour": "#d7301f"},
        "licence": {"spdx": "CC0-1.0"},
        "provenance": {"data": [], "metrics": [], "not_good_for": ["Anything but tests."]},
    }


class PlainDumper(yaml.SafeDumper):
    """Writes repeated lists out: a manifest should be readable from top to bottom."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def write(folder: str, model: onnx.ModelProto, changes: dict | None = None, **fields: object) -> None:
    target = ROOT / folder
    target.mkdir(parents=True, exist_ok=True)
    data = model.SerializeToString(deterministic=True)
    (target / "tiny.onnx").write_bytes(data)
    document = manifest(target.name, hashlib.sha256(data).hexdigest(), **fields)
    document = {k: v for k, v in (document | (changes or {})).items() if v is not None}
    text = yaml.dump(document, Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=110)
    (target / "manifest.yaml").write_text(text)


def main() -> None:
    optical = {"divisor": 10000, "clip": [0, 1], "nodata": 0}
    bands = [{"band": b} if b in ("B04", "B08") else {"band": b, "missing": {"fill": 0}} for b in BANDS]
    half_angle = {"angle_factor": 0.5, "divisor": 2, "offset": 0.5}
    write(
        "tiny-bitemporal",
        bitemporal(),
        kind="bitemporal",
        title="Tiny bitemporal change rule",
        level="L2A",
        inputs=[
            {"tensor": "pre", "defaults": {"date": "pre", **optical}, "channels": bands},
            {"tensor": "post", "defaults": {"date": "post", **optical}, "channels": bands},
            {
                "tensor": "dem",
                "channels": [
                    {"terrain": "elevation", "divisor": 3000},
                    {"terrain": "slope", "divisor": 90},
                    {"terrain": "aspect_sin", **half_angle},
                    {"terrain": "aspect_cos", **half_angle},
                ],
            },
        ],
    )
    write(
        "tiny-single",
        single_date(),
        kind="single-date",
        title="Tiny single-date rule on Landslide4Sense channels",
        level="L1C",
        inputs=[
            {
                "tensor": "image",
                "defaults": {"date": "post"},
                "channels": [
                    *({"band": b, "divisor": d} | ({"missing": {"fill": 1}} if b == "B10" else {})
                      for b, d in zip(L4S, L4S_DIVISORS, strict=True)),
                    {"terrain": "slope", "round": True, "divisor": L4S_SLOPE},
                    {"terrain": "elevation", "round": True, "divisor": L4S_ELEVATION},
                ],
            }
        ],
    )  # fmt: skip
    write(
        "clouds/tiny-clouds",  # a folder deeper, so that most tests do without it
        clouds(),
        kind="cloud",
        title="Tiny cloud rule",
        level="any",
        inputs=[
            {"tensor": "image", "defaults": {"divisor": 10000}, "channels": [{"band": b} for b in ("B04", "B03", "B08")]}
        ],
        changes={
            "output": {"tensor": "logits", "activation": "softmax"},
            "patch": {"size": 256, "multiple_of": 32, "halo": 0, "overlap": 0, "blend": "none"},
            "threshold": None,
            "legend": None,
        },
    )


if __name__ == "__main__":
    main()
