"""Several runs of a single-date network: the curve over training size, and cross-validation by blocks."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from .landslide4sense import Patches, in_blocks
from .metrics import Counts
from .single import Material, add_data_options, open_test, opened, recipe_of, score_files, train
from .single_scores import VIEWS, count, predictor, report

SHARES = (0.125, 0.25, 0.5, 1.0)


def register(commands: Any) -> None:
    """Adds ``curve-single``, ``cross-single`` and ``evaluate-single``."""
    curve = commands.add_parser("curve-single", help="train on growing shares of the blocks with the same number of steps")
    add_data_options(curve)
    curve.add_argument("--shares", type=float, nargs="+", default=list(SHARES))
    curve.set_defaults(run=_curve)

    cross = commands.add_parser("cross-single", help="score the 14-channel patches by training without their blocks, fold by fold")
    add_data_options(cross)
    cross.add_argument("--folds", type=int, default=4)
    cross.set_defaults(run=_cross)

    judge = commands.add_parser("evaluate-single", help="score a checkpoint on patches, with all channels and with fewer")
    judge.add_argument("--model", type=Path, required=True, help="best.pt of a run, or an exported .onnx file")
    judge.add_argument("--test", type=Path, nargs="+", required=True, help=".npz files, or folders of HDF5 files, that training never saw")
    judge.add_argument("--threshold", type=float, help="instead of that of threshold.json or manifest.yaml beside it")
    judge.add_argument("--out", type=Path, help="write the scores as JSON as well")
    judge.add_argument("--threads", type=int, default=2)
    judge.set_defaults(run=_evaluate)


def _curve(options: argparse.Namespace) -> None:
    if not options.steps:
        raise ValueError("curve-single: give --steps, so that all shares are trained for the same number")
    if len(options.validation) != 1:
        raise ValueError("curve-single: give one --validation file to score the runs on")
    torch.set_num_threads(options.threads)
    patches, surface = opened(options)
    rows = []
    for share in options.shares:
        recipe = recipe_of(options, patches, share=share)
        material = Material.split(patches, surface, recipe, reserve=not options.all_blocks)
        folder = options.out / f"share-{share:g}"
        chosen = train(material, folder, recipe)
        score = score_files(folder, options.validation, chosen)[0]
        rows.append({"share": share, "training_patches": sum(map(len, material.train)), "steps": options.steps} | score)
        rows[-1].pop("channels")
        write_curve(rows, options.out)
    print((options.out / "curve.md").read_text(), end="")


def write_curve(rows: list[dict[str, Any]], folder: Path) -> None:
    """Writes ``curve.json`` and the same as a table, ``curve.md``."""
    (folder / "curve.json").write_text(json.dumps(rows, indent=1) + "\n")
    lines = ["| share | patches | steps | F1 | 95 % | IoU | precision | recall |", "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        low, high = r["f1_95"]
        lines.append(
            f"| {r['share']:g} | {r['training_patches']} | {r['steps']} | {r['f1']:.3f} | {low:.3f} to {high:.3f} "
            f"| {r['iou']:.3f} | {r['precision']:.3f} | {r['recall']:.3f} |"
        )
    (folder / "curve.md").write_text("\n".join(lines) + "\n")


def _cross(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    patches, surface = opened(options)
    full = [p for p in patches if not p.eight_bit]
    if not full:
        raise ValueError("cross-single: give --bands or --h5: the patches with all channels are what is scored")
    folds = fold_blocks(full, options.folds, options.seed)
    counts: dict[str, list[Counts]] = {view: [] for view in VIEWS}
    for number, blocks in enumerate(folds):
        recipe = recipe_of(options, patches, leave_out=tuple(blocks))
        # A fold may be where the threshold is chosen otherwise: then its neighbour chooses, so that nothing is seen.
        held = tuple(b for b in recipe.held_out if b not in blocks) or (max(blocks) + 1,)
        material = Material.split(patches, surface, replace(recipe, held_out=held), reserve=not options.all_blocks)
        folder = options.out / f"fold-{number}"
        chosen = train(material, folder, replace(recipe, held_out=held))
        predict = predictor(folder / "best.pt")[1]
        for view, channels in VIEWS.items():
            for p in full:
                part = in_blocks(p, blocks)
                if len(part):
                    counts[view].append(_at_half(count(predict, part, channels), chosen["threshold"]))
    rows = [{"channels": view, "folds": len(folds)} | report(Counts.join(parts), 0.5) for view, parts in counts.items()]
    (options.out / "cross.json").write_text(json.dumps(rows, indent=1) + "\n")
    _table(rows)


def fold_blocks(patches: list[Patches], folds: int, seed: int) -> list[list[int]]:
    """Deals the blocks of some patches out to folds, the fullest first, so that folds have about as many patches."""
    blocks, sizes = np.unique(np.concatenate([p.blocks() for p in patches]), return_counts=True)
    out: list[list[int]] = [[] for _ in range(min(folds, len(blocks)))]
    load_of = [0] * len(out)
    order = np.random.default_rng(seed).permutation(len(blocks))
    for i in order[np.argsort(-sizes[order], kind="stable")]:
        least = load_of.index(min(load_of))
        out[least].append(int(blocks[i]))
        load_of[least] += int(sizes[i])
    return [sorted(b) for b in out]


def _at_half(counts: Counts, threshold: float) -> Counts:
    """Moves a fold's own threshold to 0.5, so that folds can be counted together: scores at or above it lie
    in the upper half, the others in the lower. Ranks within a half are kept, evenly stretched."""
    steps = counts.positive.shape[1] - 1
    at, half = int(np.ceil(round(threshold * steps, 6))), (steps + 1) // 2
    old = np.arange(steps + 1)
    new = np.where(old < at, old * (half - 1) // max(at - 1, 1), half + (old - at) * (steps - half) // max(steps - at, 1))

    def moved(values: np.ndarray) -> np.ndarray:
        out = np.zeros_like(values)
        np.add.at(out, (slice(None), new), values)
        return out

    return Counts(moved(counts.positive), moved(counts.negative))


def _evaluate(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    name, predict = predictor(options.model, options.threads)
    threshold, rows = options.threshold or _threshold_beside(options.model), []
    for path in options.test:
        patches = open_test(path)
        views = {"RGB": VIEWS["RGB"]} if patches.eight_bit else VIEWS
        for view, channels in views.items():
            rows.append({"network": name, "data": path.name, "channels": view} | report(count(predict, patches, channels), threshold))
    _table(rows)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


def _threshold_beside(path: Path) -> float:
    """The threshold that a run chose, or that a manifest states."""
    for name in ("manifest.yaml", "threshold.json"):  # JSON is YAML
        if (path.parent / name).exists():
            return float(yaml.safe_load((path.parent / name).read_text())["threshold"])
    raise ValueError(f"evaluate-single: no threshold.json or manifest.yaml beside {path}; give --threshold, chosen on other patches")


def _table(rows: list[dict[str, Any]]) -> None:
    print(f"{'data':24} {'channels':20} {'patches':>7} {'F1':>6} {'95 %':>14} {'IoU':>6} {'prec':>6} {'rec':>6}")
    for r in rows:
        low, high = r["f1_95"]
        print(
            f"{r.get('data', ''):24} {r['channels']:20} {r['patches']:7} {r['f1']:6.3f} {low:6.3f}-{high:6.3f} "
            f"{r['iou']:6.3f} {r['precision']:6.3f} {r['recall']:6.3f}"
        )
