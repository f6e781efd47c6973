"""float32 → int8: static, calibrated on patches, weights per channel.

In the file every quantised tensor passes through a pair of QuantizeLinear and DequantizeLinear (QDQ), which ONNX
Runtime fuses with the operators between them into integer kernels. What it needs for that, and for AVX512-VNNI:
activations as uint8 with a zero point, weights as symmetric int8, batch norms folded beforehand, and everything
between two convolutions (sums, concatenations, resizes, pooling) quantised too, so that no tensor goes back to float
on its way. Subtractions, attention and products stay in float: ONNX Runtime has no or no faster integer kernels for them.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from . import clouds, landslide4sense, manifest
from .bbunet import BANDS
from .data import PatchSet
from .export import Exported, count_weights, restore_weights, save

OPERATORS = ("Conv", "Relu", "Add", "Concat", "Resize", "MaxPool")
"""Operators that become integer ones."""

Feeds = dict[str, np.ndarray]
"""The input tensors of one run, prepared, by name."""


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``quantise``."""
    parser = commands.add_parser("quantise", help="make an int8 variant of a served model")
    parser.add_argument("manifest", type=Path, help="of the float model")
    parser.add_argument(
        "--calibration", type=Path, nargs="+", required=True, help="patch sets; of single-date models, .npz files of Landslide4Sense"
    )
    parser.add_argument("--patches", type=int, default=24, help="how many patches to calibrate on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the .onnx file and manifest.yaml")
    parser.add_argument("--name", help="the model's name on the server (default: the float model's, and -int8)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    document = manifest.verify(options.manifest)
    name = options.name or f"{document['name']}-int8"
    options.out.mkdir(parents=True, exist_ok=True)
    feeds = list(calibration(document, options.calibration, options.patches))
    source = options.manifest.parent / document["model"]["file"]
    metadata = {"name": name, "version": document["version"], "title": document["title"]}
    exported = quantise(source, options.out / f"{name}.onnx", feeds, metadata)
    told = ", ".join(p.name for p in options.calibration)
    manifest.write(describe(document, name, exported, f"{len(feeds)} patches of {told}"), options.out / "manifest.yaml")
    print(f"{exported.path}: {exported.size / 1e6:.1f} MB, from {source.stat().st_size / 1e6:.1f} MB")


def quantise(source: Path, target: Path, feeds: Iterable[Feeds], metadata: dict[str, str]) -> Exported:
    """Writes an int8 variant of the network in ``source`` to ``target``.

    The range of each tensor is the widest that it takes over ``feeds``: so these should show what the
    network will see, bright and dark, with and without landslides.
    """
    graph = onnx.load(source)
    restore_weights(graph)
    facts = {p.key: p.value for p in graph.metadata_props}
    parameters = count_weights(graph)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(graph, before)
        logger = logging.getLogger()
        level = logger.level
        logger.setLevel(logging.ERROR)  # of advice to optimise first, which export has done
        try:
            quantize_static(
                before,
                after,
                _Reader(feeds),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                reduce_range=False,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
            )
        finally:
            logger.setLevel(level)
        return save(onnx.load(after), target, facts | metadata | {"precision": "int8"}, parameters)


class _Reader(CalibrationDataReader):
    """Hands feeds to ONNX Runtime one by one."""

    def __init__(self, feeds: Iterable[Feeds]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> Feeds | None:  # None: no more
        return next(self.feeds, None)


def calibration(document: dict[str, Any], folders: Iterable[Path], count: int) -> Iterator[Feeds]:
    """Spreads ``count`` patches over the folders and prepares them for the network of a manifest.

    Bitemporal and cloud networks read patch sets, single-date ones Landslide4Sense's ``.npz`` files. A
    ValueError says that there are no patches.
    """
    folders = list(folders)
    for i, folder in enumerate(folders):
        share = count // len(folders) + (i < count % len(folders))
        yield from _prepared(document, folder, share)


def _prepared(document: dict[str, Any], folder: Path, count: int) -> Iterator[Feeds]:
    tensors = [i["tensor"] for i in document["inputs"]]
    patches = landslide4sense.open_npz(folder) if document["kind"] == "single-date" else PatchSet(folder)
    if len(patches) == 0:
        raise ValueError(f"calibrate on {folder}: it holds no patches")
    for row in np.unique(np.linspace(0, len(patches) - 1, count).astype(int)):
        batch = patches.batch(np.array([row]))
        if document["kind"] == "single-date":
            inputs = [batch.image]
        elif document["kind"] == "cloud":
            bands = [BANDS.index(c["band"]) for c in document["inputs"][0]["channels"]]
            inputs = [clouds.normalise(batch.post[:, bands].numpy())]
        else:
            inputs = batch.inputs()[: len(tensors)]
        yield {t: np.asarray(x, dtype=np.float32) for t, x in zip(tensors, inputs, strict=True)}


def describe(document: dict[str, Any], name: str, exported: Exported, calibrated_on: str) -> dict[str, Any]:
    """The manifest of an int8 variant: the float model's, less what was measured on that one."""
    provenance = {k: v for k, v in document["provenance"].items() if k not in ("metrics", "absences", "card")}
    described = document | {
        "name": name,
        "description": f"int8 variant of {document['name']} {document['version']}, calibrated on {calibrated_on}. "
        + document.get("description", ""),
        "model": {"file": exported.path.name, "sha256": exported.sha256},
        "provenance": provenance | {"metrics": []},
    }
    manifest.check(described)
    return described
