"""What a run of a single-date network can say of itself, as ``export --about`` takes it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .landslide4sense import CHANNELS, OPTICAL

ALWAYS = ("B02", "B03", "B04")
"""Channels that every training sample has."""


def absent() -> dict[str, float]:
    """Channels that may be missing, with what they are filled with after normalisation."""
    return {c: 0 for c in CHANNELS if c not in ALWAYS}


def write(folder: Path, dropped: bool, chosen: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Path:
    """Writes ``about.yaml`` from ``run.json`` and the scores on patches that were never seen. ``dropped`` says that the network
    was trained with channels missing."""
    record = json.loads((folder / "run.json").read_text())
    threshold = chosen["threshold"]
    data = [{"role": "train", "title": f"{n} patches", "source": s} for s, n in record["training_patches"].items()]
    held = [{"role": "validation", "title": f"{n} patches of other blocks", "source": s, "note": "choose weights and threshold"}
            for s, n in record["held_out_patches"].items()]  # fmt: skip
    tests = [{"role": "test", "title": f"{r['patches']} patches", "source": r["data"]} for r in rows]
    metrics, absences = [], []
    for r in rows:
        split = f"{r['data']}, {r['patches']} patches"
        for name, key in (("F1", "f1"), ("IoU", "iou"), ("precision", "precision"), ("recall", "recall")):
            between = f", 95 % interval {r[f'{key}_95'][0]:.3f} to {r[f'{key}_95'][1]:.3f}" if f"{key}_95" in r else ""
            metrics.append({"name": name, "value": r[key], "split": split + between, "threshold": threshold})
        missing = [c for c in CHANNELS[:OPTICAL] if c not in r["channels"]]
        if "slope" not in r["channels"]:
            missing.append("terrain")
        if dropped:
            absences.append({"missing": missing, "f1": r["f1"], "split": split})
    about: dict[str, Any] = {
        "description": f"{record['network']} on one image after the event, in the channels of Landslide4Sense.",
        "threshold": threshold,
        **({"absent": absent()} if dropped else {}),
        "provenance": {
            "trained": datetime.date.today().isoformat(),
            "commit": record["commit"],
            "data": data + held + tests,
            "metrics": metrics,
            **({"absences": absences} if absences else {}),
            "not_good_for": [
                "Telling new landslides from old ones: one image shows both.",
                "Ordinary land: nearly every training patch has a landslide, so it finds too many where there are none.",
                "Images of level L2A, whose visible bands are much darker than those it was trained on.",
            ],
        },
    }
    path = folder / "about.yaml"
    path.write_text(yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=110))
    return path
