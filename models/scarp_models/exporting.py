"""The commands that make a served model of a checkpoint, and check one."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from . import manifest, networks
from .checkpoint import load_bbunet
from .export import export


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``export`` and ``verify``."""
    export = commands.add_parser("export", help="turn a checkpoint, ours or the published one, into a served model")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True, help="folder for the .onnx file and manifest.yaml")
    export.add_argument("--name", default="bbunet", help="the model's name on the server")
    export.add_argument("--version", default="1.0.0")
    export.add_argument("--title", default="BBUnet: new landslides from two Sentinel-2 images and a DEM")
    export.add_argument("--about", type=Path, help="YAML with description, threshold, licence and provenance")
    export.add_argument("--float32", action="store_true", help="store weights as float32: twice the size")
    export.set_defaults(run=_export)

    verify = commands.add_parser("verify", help="check a manifest against the schema and its network's digest")
    verify.add_argument("manifest", type=Path)
    verify.set_defaults(run=lambda o: print(manifest.verify(o.manifest)["name"], "is in order"))


def _export(options: argparse.Namespace) -> None:
    about = yaml.safe_load(options.about.read_text()) if options.about else {}
    model = load_bbunet(options.checkpoint)
    options.out.mkdir(parents=True, exist_ok=True)
    metadata = {"name": options.name, "version": options.version, "title": options.title}
    target = options.out / f"{options.name}.onnx"
    exported = export(networks.get("bbunet"), model, target, metadata, half=not options.float32)
    document = manifest.bbunet(options.name, options.version, options.title, exported, about)
    manifest.write(document, options.out / "manifest.yaml")
    print(f"{exported.path}: {exported.size / 1e6:.1f} MB, {exported.parameters / 1e6:.1f} M weights")
