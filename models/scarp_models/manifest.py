"""Writes and checks model manifests, the YAML beside an ``.onnx`` file (inference/manifest.schema.json)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from .bbunet import BANDS, STRIDE, TERRAIN
from .export import OUTPUT, Exported

SCHEMA = Path(__file__).resolve().parents[2] / "inference" / "manifest.schema.json"
REQUIRED_BANDS = ("B02", "B03", "B04")
"""Bands without which BBUnet is not worth running; training leaves out all others now and then."""

_TERRAIN = {
    "elevation": {"divisor": 3000, "missing": {"fill": 0}},
    "slope": {"divisor": 90, "missing": {"fill": 0}},
    "aspect_sin": {"angle_factor": 0.5, "divisor": 2, "offset": 0.5, "nodata": 0.5, "missing": {"fill": 0.5}},
    "aspect_cos": {"angle_factor": 0.5, "divisor": 2, "offset": 0.5, "nodata": 1, "missing": {"fill": 1}},
}


class PlainDumper(yaml.SafeDumper):
    """Writes repeated lists out and short ones in one line: a manifest is read from top to bottom."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class Line(dict):
    """A mapping that is written in one line."""


PlainDumper.add_representer(
    Line, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)


def bbunet(name: str, version: str, title: str, exported: Exported, about: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a BBUnet. ``about`` states what only its maker knows: description, threshold,
    licence and provenance; what it leaves out is written as not known."""

    def bands(date: str) -> list[dict[str, Any]]:
        return [Line(band=b) if b in REQUIRED_BANDS else Line(band=b, missing=Line(fill=0)) for b in BANDS]

    optical = {"divisor": 10000, "clip": [0, 1], "nodata": 0}
    provenance = {
        "data": [],
        "metrics": [],
        "not_good_for": ["Not known: the weights came without a statement of how they were made."],
    } | about.get("provenance", {})
    manifest = {
        "schema": 1,
        "name": name,
        "version": version,
        "title": title,
        "description": about.get("description", "Bitemporal, bimodal U-Net (arXiv 2405.20161)."),
        "kind": "bitemporal",
        "model": {"file": exported.path.name, "sha256": exported.sha256},
        "imagery": {"processing_level": "L2A", "resolution_m": 10, "exclude_clouds": ["thick", "thin"]},
        "inputs": [
            {"tensor": "pre", "defaults": Line(date="pre", **optical), "channels": bands("pre")},
            {"tensor": "post", "defaults": Line(date="post", **optical), "channels": bands("post")},
            {"tensor": "dem", "channels": [Line(terrain=t, **_TERRAIN[t]) for t in TERRAIN]},
        ],
        "output": {"tensor": OUTPUT, "activation": "sigmoid", "channel": 0},
        "patch": {"size": 320, "multiple_of": STRIDE, "halo": 32, "overlap": 64, "blend": "none"},
        "threshold": about.get("threshold", 0.5),
        "legend": {"title": "New landslide", "colour": "#d7301f"},
        "licence": about.get("licence", {"spdx": "LicenseRef-unknown"}),
        "provenance": provenance
        | {"parameters": exported.parameters, "paper": "https://arxiv.org/abs/2405.20161"},
    }
    check(manifest)
    return manifest


def check(manifest: dict[str, Any]) -> None:
    """Raises ValueError with every violation of the schema at once."""
    schema = json.loads(SCHEMA.read_text())
    found = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
    reasons = [f"{'/'.join(map(str, e.absolute_path)) or 'manifest'}: {e.message}" for e in found]
    if reasons:
        raise ValueError("manifest breaks the schema:\n" + "\n".join(sorted(reasons)))


def write(manifest: dict[str, Any], path: Path) -> None:
    """Writes the manifest as YAML."""
    path.write_text(yaml.dump(manifest, Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=110))


def verify(path: Path) -> dict[str, Any]:
    """Reads a manifest and checks it against the schema and its network against the digest."""
    manifest = yaml.safe_load(path.read_text())
    check(manifest)
    network = path.parent / manifest["model"]["file"]
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    if digest != manifest["model"]["sha256"]:
        raise ValueError(f"{network}: SHA-256 is {digest}, the manifest says {manifest['model']['sha256']}")
    return manifest
