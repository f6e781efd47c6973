"""Writes and checks model manifests, the YAML beside an ``.onnx`` file (inference/manifest.schema.json)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from .bbunet import BANDS
from .export import OUTPUT, Exported
from .landslide4sense import CHANNELS, DIVISORS
from .networks import Network

SCHEMA = Path(__file__).resolve().parents[2] / "inference" / "manifest.schema.json"

REQUIRED_BANDS = ("B02", "B03", "B04")
"""Bands without which a bitemporal network is not worth running; our training leaves out all others now and then."""

_SUBSTITUTES = {"B01": ["B02"], "B08": ["B8A"], "B8A": ["B08"], "B09": ["B8A", "B08"]}
"""Neighbours in the spectrum that stand in for a band where the network was never trained to do without it."""

_TERRAIN = {
    "elevation": {"divisor": 3000},
    "slope": {"divisor": 90},
    "aspect_sin": {"angle_factor": 0.5, "divisor": 2, "offset": 0.5, "nodata": 0.5},
    "aspect_cos": {"angle_factor": 0.5, "divisor": 2, "offset": 0.5, "nodata": 1},
}
_NO_TERRAIN = {"elevation": 0, "slope": 0, "aspect_sin": 0.5, "aspect_cos": 1}

_PATCH = {
    "bbunet": {"size": 320, "halo": 32, "overlap": 64, "blend": "none"},
    "bbunet-lite": {"size": 320, "halo": 32, "overlap": 64, "blend": "none"},
    "clouds": {"size": 512, "halo": 64, "overlap": 128, "blend": "none"},
}
_ANY_PATCH = {"size": 256, "halo": 32, "overlap": 64, "blend": "cosine"}
"""Comparators were trained on patches of 256; some of them (TinyCD, BIT) look at the patch as a whole."""


class PlainDumper(yaml.SafeDumper):
    """Writes repeated lists out and short ones in one line: a manifest is read from top to bottom."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class Line(dict):
    """A mapping that is written in one line."""


PlainDumper.add_representer(
    Line, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)


def build(
    network: Network, name: str, version: str, title: str, exported: Exported, about: dict[str, Any]
) -> dict[str, Any]:
    """The manifest of an exported network.

    ``about`` states what only its maker knows; what it leaves out is written as not known:

    - ``description``, ``threshold``, ``licence``, ``patch``, ``provenance`` as in the manifest;
    - ``absent``: channels that it was trained to do without, each with the prepared value that stands in;
      by default those that our training of this kind of network leaves out;
    - ``untrained_absence: true``: it was never trained to do without any.
    """
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
        "description": about.get("description", f"The network {network.name} ({network.paper})."),
        "kind": network.kind,
        "model": {"file": exported.path.name, "sha256": exported.sha256},
        "imagery": _imagery(network),
        "inputs": _inputs(network, about),
        "output": _output(network),
        "patch": {"multiple_of": network.stride} | _PATCH.get(network.name, _ANY_PATCH) | about.get("patch", {}),
        "threshold": about.get("threshold", 0.5),
        "legend": {"title": "New landslide" if network.kind == "bitemporal" else "Landslide", "colour": "#d7301f"},
        "licence": about.get("licence", {"spdx": "LicenseRef-unknown"}),
        "provenance": provenance | {"parameters": exported.parameters, "paper": network.paper},
    }
    if network.kind == "cloud":
        del manifest["threshold"], manifest["legend"]
    check(manifest)
    return manifest


def _imagery(network: Network) -> dict[str, Any]:
    if network.kind == "cloud":
        return {"processing_level": "any", "resolution_m": 10}
    level = "L2A" if network.kind == "bitemporal" else "L1C"
    return {"processing_level": level, "resolution_m": 10, "exclude_clouds": ["thick", "thin"]}


def _output(network: Network) -> dict[str, Any]:
    if network.kind == "cloud":
        return {"tensor": OUTPUT, "activation": "softmax"}
    if network.classes == 1:
        return {"tensor": OUTPUT, "activation": "sigmoid", "channel": 0}
    return {"tensor": OUTPUT, "activation": "softmax", "channel": 1}


def _inputs(network: Network, about: dict[str, Any]) -> list[dict[str, Any]]:
    absent = about.get("absent", {} if about.get("untrained_absence") else _trained_absences(network))
    reflectance = {"divisor": 10000, "clip": [0, 1], "nodata": 0}
    inputs = []
    for tensor, channels in network.inputs.items():
        if network.kind == "single-date":
            # DeepSlide gives its networks 1e-6 where a value is missing.
            inputs.append(
                {
                    "tensor": tensor,
                    "defaults": Line(date="post", nodata=1e-6),
                    "channels": [_benchmark(c, absent) for c in channels],
                }
            )
        elif tensor == "dem":
            inputs.append({"tensor": tensor, "channels": [Line(terrain=c, **_TERRAIN[c], **_may_lack(c, absent)) for c in channels]})
        else:
            date = {"date": tensor} if network.kind == "bitemporal" else {}
            stand_in = network.kind == "bitemporal" and not absent
            inputs.append(
                {
                    "tensor": tensor,
                    "defaults": Line(**date, **reflectance),
                    "channels": [Line(band=c, **_may_lack(c, absent, stand_in)) for c in channels],
                }
            )
    return inputs


def _trained_absences(network: Network) -> dict[str, float]:
    if network.kind != "bitemporal":
        return {}
    return {b: 0 for b in BANDS if b not in REQUIRED_BANDS} | _NO_TERRAIN


def _may_lack(channel: str, absent: dict[str, float], stand_in: bool = False) -> dict[str, Any]:
    if channel in absent:
        return {"missing": Line(fill=absent[channel])}
    if stand_in and channel in _SUBSTITUTES:
        return {"missing": Line(substitute=_SUBSTITUTES[channel])}
    return {}


def _benchmark(channel: str, absent: dict[str, float]) -> Line:
    """A channel in the units of Landslide4Sense: digital numbers, whole degrees and metres over a constant each."""
    divisor = float(DIVISORS[CHANNELS.index(channel)])
    if channel in ("slope", "elevation"):
        return Line(terrain=channel, round=True, divisor=divisor, **_may_lack(channel, absent))
    return Line(band=channel, divisor=divisor, **_may_lack(channel, absent))


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


def read(path: Path) -> dict[str, Any]:
    """Reads a manifest and checks it against the schema."""
    manifest = yaml.safe_load(path.read_text())
    check(manifest)
    return manifest


def verify(path: Path) -> dict[str, Any]:
    """Reads a manifest and checks it against the schema and its network against the digest."""
    manifest = read(path)
    network = path.parent / manifest["model"]["file"]
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    if digest != manifest["model"]["sha256"]:
        raise ValueError(f"{network}: SHA-256 is {digest}, the manifest says {manifest['model']['sha256']}")
    return manifest
