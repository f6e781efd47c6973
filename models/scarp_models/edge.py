"""What networks cost on a small machine: time and memory at few threads, and the accuracy that smaller ones lose."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from . import report
from .evaluate import predict, unique
from .metrics import Counts, difference
from .served import TILINGS, Served, session


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the command ``edge``."""
    parser = commands.add_parser("edge", help="measure time, memory and lost accuracy of networks beside each other")
    parser.add_argument("--model", type=Path, action="append", required=True, help="an exported network; the first is compared with")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--size", type=int, help="side of the patch (default: that of the first network's manifest)")
    parser.add_argument("--runs", type=int, default=15, help="timed runs of each network at each number of threads")
    parser.add_argument("--validation", type=Path, nargs="+", default=[], help="patches that thresholds are chosen on")
    parser.add_argument("--test", type=Path, nargs="+", default=[], help="patches to measure the accuracy on")
    parser.add_argument("--tiling", choices=TILINGS, default="auto", help="see evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder for edge.json and report.html")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if bool(options.validation) != bool(options.test):
        raise ValueError("edge: give both --validation and --test, or neither")
    networks = [Served(p, max(options.threads), options.tiling) for p in options.model]
    size = options.size or networks[0].patch["size"]
    rows = []
    accuracy = lost(networks, options.validation, options.test) if options.test else {}
    for threads in options.threads:
        times = race(networks, threads, size, options.runs)
        for network, series in zip(networks, times, strict=True):
            peak, own = memory(network, threads, size)
            rows.append(
                {
                    "model": network.name,
                    "precision": precision(network.path),
                    "file_mb": round(network.path.stat().st_size / 1e6, 2),
                    "threads": threads,
                    "size": size,
                    "median_ms": round(float(np.median(series)) * 1e3, 2),
                    "spread_ms": [round(float(x) * 1e3, 2) for x in np.percentile(series, [5, 95])],
                    "ratio": round(float(np.median(series / times[0])), 4),
                    "peak_mb": round(peak / 1e6, 1),
                    "network_mb": round(own / 1e6, 1),
                    **accuracy.get(network.name, {}),
                }
            )
            print(line(rows[-1]), flush=True)
    document = {"machine": machine(), "onnxruntime": onnxruntime.__version__, "runs": options.runs, "rows": rows}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "edge.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    report.write(options.out, "edge", report.edge(document))
    print(f"written: {options.out / 'edge.json'}, {options.out / 'report.html'}")


def race(networks: Sequence[Served], threads: int, size: int, runs: int) -> np.ndarray:
    """Networks × runs: seconds of single runs on one patch. The networks take turns, and each turn begins with another
    one, so that a load on the machine meets them alike."""
    sessions = [session(n.path, threads) for n in networks]
    feeds = [_feeds(n, size) for n in networks]
    seconds = np.zeros((len(networks), runs))
    for s, f in zip(sessions, feeds, strict=True):
        s.run(None, f)  # the first run plans memory
    for turn in range(runs):
        for k in range(len(networks)):
            i = (k + turn) % len(networks)
            began = time.perf_counter()
            sessions[i].run(None, feeds[i])
            seconds[i, turn] = time.perf_counter() - began
    return seconds


def memory(network: Served, threads: int, size: int) -> tuple[int, int]:
    """Peak memory in bytes of a process that runs the network on one patch, and what of it is the network's."""
    shapes = {k: list(v.shape) for k, v in _feeds(network, size).items()}
    question = {"model": str(network.path.resolve()), "threads": threads, "shapes": shapes}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    process = subprocess.run(
        [sys.executable, "-m", "scarp_models.probe"], input=json.dumps(question), capture_output=True, text=True, env=environment
    )
    if process.returncode:
        raise ValueError(f"measure memory of {network.path}: {process.stderr.strip().splitlines()[-1]}")
    answer = json.loads(process.stdout)
    return answer["peak"], answer["peak"] - answer["before"]


def lost(networks: Sequence[Served], validation: Sequence[Path], test: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """F1 of each network that maps landslides, at its own threshold from validation data, and how it differs from the first one's."""
    sets = [list(unique(folders).values()) for folders in (validation, test)]
    out: dict[str, dict[str, Any]] = {}
    first: tuple[Counts, float] | None = None
    for network in filter(lambda n: n.maps_landslides, networks):
        chosen, counts = (Counts.join([predict(network, s).counts() for s in part]) for part in sets)
        threshold = chosen.total().best().threshold
        first = first or (counts, threshold)
        out[network.name] = {
            "threshold": threshold,
            "f1": round(counts.total().at(threshold).f1, 4),
            "interval": counts.intervals(threshold)["f1"],
            "difference": difference(*first, counts, threshold),
        }
    return out


def precision(path: Path) -> str:
    """``int8``, ``fp32``, or ``fp32, stored as fp16``: from the network's operators and weights."""
    graph = onnx.load(path).graph
    if any(n.op_type in ("QuantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger") for n in graph.node):
        return "int8"
    half = any(w.data_type == onnx.TensorProto.FLOAT16 for w in graph.initializer)
    return "fp32, stored as fp16" if half else "fp32"


def machine() -> str:
    """The processor, as far as the system tells, and how many of its cores may be used."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), model)
    except OSError:
        pass
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    text = (
        f"{row['model'][:32]:32} {row['precision']:20} {row['threads']} threads {row['median_ms']:8.1f} ms "
        f"× {row['ratio']:.2f} {row['peak_mb']:7.0f} MB"
    )
    if "f1" in row:
        text += f"  F1 {row['f1']:.4f}, {row['difference'][0]:+.4f} ({row['difference'][1]:+.4f} to {row['difference'][2]:+.4f})"
    return text


def _feeds(network: Served, size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {k: rng.uniform(0, 0.5, (1, len(c), size, size)).astype(np.float32) for k, c in network.inputs.items()}
