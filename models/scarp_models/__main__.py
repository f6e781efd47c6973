"""Command line: ``python -m scarp_models train|evaluate|export|negatives|verify``."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

import torch
import yaml

from . import evaluate, manifest, negatives
from .checkpoint import CheckpointError, load_bbunet
from .data import PatchSet
from .export import export_bbunet
from .train import Settings, Trainer


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (CheckpointError, ValueError, OSError) as error:
        print(f"scarp_models: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scarp_models", description="Networks for Scarp.")
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser("train", help="train BBUnet on patch sets, or go on with a run")
    train.add_argument("--data", type=Path, nargs="+", required=True, help="folders of training patches")
    train.add_argument("--validation", type=Path, nargs="+", required=True, help="folders of validation patches")
    train.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished one is resumed")
    train.add_argument("--minutes", type=float, required=True, help="length of the whole run, all resumptions together")
    train.add_argument("--until", help="stop at this time of day, HH:MM, whatever --minutes says")
    train.add_argument("--batch", type=int, default=16)
    train.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    train.add_argument("--validate-every", type=float, default=5, help="minutes between checks (and checkpoints)")
    train.add_argument("--threads", type=int, default=2)
    train.add_argument("--seed", type=int, default=1)
    train.set_defaults(run=_train)

    judge = commands.add_parser("evaluate", help="score an .onnx file and the baselines on patch sets")
    judge.add_argument("--model", type=Path, required=True, help="an exported network")
    judge.add_argument("--validation", type=Path, nargs="+", required=True, help="patches that thresholds are chosen on")
    judge.add_argument("--test", type=Path, nargs="+", required=True, help="patches never used before; one row each")
    judge.add_argument("--out", type=Path, help="write the scores as JSON as well")
    judge.add_argument("--threads", type=int, default=2)
    judge.set_defaults(run=_evaluate)

    export = commands.add_parser("export", help="turn a checkpoint, ours or the published one, into a served model")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True, help="folder for the .onnx file and manifest.yaml")
    export.add_argument("--name", default="bbunet", help="the model's name on the server")
    export.add_argument("--version", default="1.0.0")
    export.add_argument("--title", default="BBUnet: new landslides from two Sentinel-2 images and a DEM")
    export.add_argument("--about", type=Path, help="YAML with description, threshold, licence and provenance")
    export.add_argument("--float32", action="store_true", help="store weights as float32: twice the size")
    export.set_defaults(run=_export)

    real = commands.add_parser("negatives", help="make a patch set of real pairs without landslides")
    real.add_argument("--source", type=Path, required=True)
    real.add_argument("--out", type=Path, required=True)
    real.add_argument("--size", type=int, default=128)
    real.set_defaults(run=lambda o: print(negatives.build(o.source, o.out, o.size), "pairs"))

    verify = commands.add_parser("verify", help="check a manifest against the schema and its network's digest")
    verify.add_argument("manifest", type=Path)
    verify.set_defaults(run=lambda o: print(manifest.verify(o.manifest)["name"], "is in order"))
    return parser


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    settings = Settings(
        seconds=options.minutes * 60,
        batch=options.batch,
        learning_rate=options.rate,
        validate_every=options.validate_every * 60,
        seed=options.seed,
    )
    trainer = Trainer(_open(options.data), _open(options.validation), options.out, settings)
    print(f"{len(trainer.sampler)} training patches, step {trainer.step}", flush=True)
    end = datetime.time.fromisoformat(options.until) if options.until else None
    trainer.run(stop=lambda: end is not None and datetime.datetime.now().time() >= end)


def _evaluate(options: argparse.Namespace) -> None:
    network = evaluate.tiled(evaluate.onnx_file(options.model, options.threads))
    methods = {
        "network": network,
        "NDVI drop, slope ≥ 10°": evaluate.ndvi_drop,
        "change vector, slope ≥ 10°": evaluate.change_vector,
    }
    rows = []
    print(f"{'method':28} {'data':32} {'thr':>5} {'IoU':>6} {'F1':>6} {'prec':>6} {'rec':>6} {'AP':>6}")
    for method, scorer in methods.items():
        chosen = evaluate.evaluate(scorer, _open(options.validation)).best().threshold
        for folder in [*options.validation, *options.test]:
            histogram = evaluate.evaluate(scorer, _open([folder]), batch=8)
            score, precision = histogram.at(chosen), histogram.average_precision()
            rows.append({"method": method, "data": folder.name, "average_precision": round(precision, 4)} | score.as_dict())
            print(
                f"{method:28} {folder.name:32} {chosen:5.3f} {score.iou:6.3f} {score.f1:6.3f} "
                f"{score.precision:6.3f} {score.recall:6.3f} {precision:6.3f}",
                flush=True,
            )
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def _export(options: argparse.Namespace) -> None:
    about = yaml.safe_load(options.about.read_text()) if options.about else {}
    model = load_bbunet(options.checkpoint)
    options.out.mkdir(parents=True, exist_ok=True)
    metadata = {"name": options.name, "version": options.version, "title": options.title}
    exported = export_bbunet(model, options.out / f"{options.name}.onnx", metadata, half=not options.float32)
    document = manifest.bbunet(options.name, options.version, options.title, exported, about)
    manifest.write(document, options.out / "manifest.yaml")
    print(f"{exported.path}: {exported.size / 1e6:.1f} MB, {exported.parameters / 1e6:.1f} M weights")


def _open(folders: list[Path]) -> list[PatchSet]:
    return [PatchSet(f) for f in folders]


if __name__ == "__main__":
    sys.exit(main())
