"""The commands that make served models of checkpoints, and check them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from . import checkpoint, imports, manifest, networks, quantise
from .export import Exported, export
from .networks import Network


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``import``, ``export``, ``quantise`` and ``verify``."""
    published = commands.add_parser("import", help="turn a published checkpoint of either paper into a served model")
    published.add_argument("checkpoint", type=Path)
    published.add_argument("--network", choices=networks.names(), metavar="NAME", help="default: as the weights tell")
    _common(published)
    published.set_defaults(run=_import)

    ours = commands.add_parser("export", help="turn a checkpoint that training wrote into a served model")
    ours.add_argument("--checkpoint", type=Path, required=True)
    ours.add_argument("--network", choices=networks.names(), metavar="NAME", help="default: as the checkpoint says, or bbunet")
    _common(ours)
    ours.set_defaults(run=_export)

    quantise.register(commands)

    verify = commands.add_parser("verify", help="check a manifest against the schema and its network's digest")
    verify.add_argument("manifest", type=Path)
    verify.set_defaults(run=lambda o: print(manifest.verify(o.manifest)["name"], "is in order"))


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for the .onnx file, manifest.yaml and, of imports, CARD.md")
    parser.add_argument("--name", help="the model's name on the server (default: the network's)")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--title", help="one line for people")
    parser.add_argument("--about", type=Path, help="YAML with description, threshold, licence and provenance")
    parser.add_argument("--float32", action="store_true", help="store weights as float32: twice the size")


def _import(options: argparse.Namespace) -> None:
    published = imports.load(options.checkpoint, options.network)
    about = _merge(published.about, _about(options))
    about["provenance"]["card"] = "CARD.md"
    exported = _write(published.network, published.model, about, options)
    name = options.name or published.network.name
    (options.out / "CARD.md").write_text(imports.card(published, options.checkpoint, name, exported.parameters))


def _export(options: argparse.Namespace) -> None:
    network, model = checkpoint.load(options.checkpoint, options.network)
    _write(network, model, _about(options), options)


def _about(options: argparse.Namespace) -> dict[str, Any]:
    return yaml.safe_load(options.about.read_text()) if options.about else {}


def _merge(known: dict[str, Any], stated: dict[str, Any]) -> dict[str, Any]:
    """What a person states goes before what a file says of itself."""
    merged = known | stated
    merged["provenance"] = known.get("provenance", {}) | stated.get("provenance", {})
    return merged


def _write(network: Network, model: nn.Module, about: dict[str, Any], options: argparse.Namespace) -> Exported:
    """Writes a served model's folder."""
    name = options.name or network.name
    title = options.title or _TITLES.get(network.name) or _TITLES[network.kind].format(network.name)
    options.out.mkdir(parents=True, exist_ok=True)
    metadata = {"name": name, "version": options.version, "title": title}
    exported = export(network, model, options.out / f"{name}.onnx", metadata, half=not options.float32)
    document = manifest.build(network, name, options.version, title, exported, about)
    manifest.write(document, options.out / "manifest.yaml")
    print(f"{exported.path}: {network.name}, {exported.size / 1e6:.1f} MB, {exported.parameters / 1e6:.1f} M weights")
    return exported


_TITLES = {
    "bbunet": "BBUnet: new landslides from two Sentinel-2 images and a DEM",
    "bbunet-lite": "BBUnet Lite: new landslides from two Sentinel-2 images and a DEM, on small machines",
    "bitemporal": "{}: new landslides from two Sentinel-2 images",
    "single-date": "{}: landslides from one Sentinel-2 L1C image and a DEM",
    "cloud": "{}: clouds and their shadows from red, green and near infrared",
}
