"""Peak memory of a network, measured in a process that does nothing else: ``python -m scarp_models.probe``.

Reads a JSON object from standard input (``model``, ``threads``, ``shapes`` by tensor) and writes one: ``before``, the
resident memory before the network is loaded, and ``peak``, the highest one after two runs, both in bytes. It imports
as little as it can.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime


def memory(field: str) -> int:
    """A figure of this process in bytes: ``VmRSS``, its memory now, or ``VmHWM``, the highest so far."""
    with open("/proc/self/status") as f:
        return next(1024 * int(line.split()[1]) for line in f if line.startswith(field + ":"))


def measure(model: str, threads: int, shapes: dict[str, list[int]]) -> dict[str, int]:
    before = memory("VmRSS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {k: np.full(v, 0.25, np.float32) for k, v in shapes.items()}
    for _ in range(2):
        session.run(None, feeds)
    return {"before": before, "peak": memory("VmHWM")}


if __name__ == "__main__":
    print(json.dumps(measure(**json.load(sys.stdin))))
