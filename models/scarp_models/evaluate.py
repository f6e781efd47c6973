"""Evaluation on patches: networks and baselines, thresholds chosen on validation data only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import baselines, objects, report
from .baselines import Scorer
from .data import Batch, PatchSet
from .metrics import ROUNDS, Counts, codes, difference, step_at
from .served import TILINGS, Served


FEWEST = 5
"""Events from which on they are drawn in a bootstrap instead of patches."""


@dataclass(frozen=True)
class Prediction:
    """What a method says about one patch set: N,S,S arrays, scores as uint8 steps of 1/250, truth and valid boolean."""

    steps: np.ndarray
    truth: np.ndarray
    valid: np.ndarray

    def counts(self) -> Counts:
        return Counts.of(self.steps, self.truth, self.valid)

    def mask(self, threshold: float) -> np.ndarray:
        """What is drawn as landslide."""
        return (self.steps >= step_at(threshold)) & self.valid

    def select(self, rows: np.ndarray) -> Prediction:
        """Some of the patches."""
        return Prediction(self.steps[rows], self.truth[rows], self.valid[rows])


def predict(
    scorer: Scorer, patches: PatchSet, batch: int = 8, change: Callable[[Batch, int], Batch] = lambda b, first: b
) -> Prediction:
    """Scores every patch of a set; ``change`` is done to each batch before, given the number of its first patch."""
    parts, first = [], 0
    for original in patches.batches(batch):
        b = change(original, first)
        parts.append((codes(scorer(b)[:, 0]), b.mask.numpy()[:, 0] > 0, b.valid.numpy()[:, 0]))
        first += len(b)
    return Prediction(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Method:
    """Something that scores patches, with its threshold from validation data."""

    name: str
    kind: str  # "network" or "baseline"
    scorer: Scorer
    threshold: float
    note: str = ""


@dataclass(frozen=True)
class Result:
    """What a method did on some patches: a row of the results, and the counts that it was made from."""

    row: dict[str, Any]
    counts: Counts


def judge(method: Method, prediction: Prediction, data: str, rounds: int = ROUNDS, groups: np.ndarray | None = None) -> Result:
    """Everything that is measured of a method on some patches. Intervals are by bootstrap over patches or, where
    ``groups`` numbers each patch's group, over groups."""
    counts = prediction.counts()
    found = objects.count(prediction.mask(method.threshold), prediction.truth, prediction.valid)
    patches, total = len(counts), counts.total()
    if groups is not None:
        counts, found = counts.grouped(groups), found.grouped(groups)
    row = {
        "method": method.name,
        "kind": method.kind,
        "note": method.note,
        "data": data,
        "patches": patches,
        "drawn": len(counts),
        "landslide_pixels": int(total.positive.sum()),
        "pixels": int(total.positive.sum() + total.negative.sum()),
        **total.at(method.threshold).as_dict(),
        "average_precision": round(total.average_precision(), 4),
        "intervals": counts.intervals(method.threshold, rounds),
        "objects": found.table(rounds),
    }
    if method.kind == "network":  # a baseline's scores aren't meant as probabilities
        row |= {"calibration_error": round(total.calibration_error(), 4), "reliability": total.reliability()}
    else:
        row["intervals"].pop("calibration_error")
    return Result(row, counts)


def compare(results: Sequence[Result], rounds: int = ROUNDS) -> None:
    """Adds to each network's row its lead over the baseline that has the highest F1 on the same data."""
    for r in results:
        rivals = [x for x in results if x.row["kind"] == "baseline" and x.row["data"] == r.row["data"]]
        if r.row["kind"] == "network" and rivals:
            best = max(rivals, key=lambda x: x.row["f1"])
            value, low, high = difference(best.counts, best.row["threshold"], r.counts, r.row["threshold"], rounds)
            r.row["lead"] = {"over": best.row["method"], "f1": value, "interval": (low, high)}


def events(patches: PatchSet) -> np.ndarray | None:
    """The number of each patch's event, where ``patches.json`` has events with their ``patches`` in order, and at least
    :data:`FEWEST` of them: drawing among fewer says nothing about others."""
    path = patches.folder / "patches.json"
    counts = [e.get("patches", 0) for e in json.loads(path.read_text()).get("events", [])] if path.exists() else []
    enough = sum(n > 0 for n in counts) >= FEWEST and sum(counts) == len(patches)
    return np.repeat(np.arange(len(counts)), counts) if enough else None


def regions(patches: PatchSet) -> dict[str, np.ndarray]:
    """Patches by region, where ``patches.json`` has a list ``region`` with a name for each patch; otherwise empty, for a
    folder is a region then."""
    path = patches.folder / "patches.json"
    names = json.loads(path.read_text()).get("region") if path.exists() else None
    if not names:
        return {}
    if len(names) != len(patches):
        raise ValueError(f"{path}: region names {len(names)} patches, there are {len(patches)}")
    every = np.array(names)
    return {str(name): np.flatnonzero(every == name) for name in sorted(set(names))}


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the command ``evaluate``."""
    parser = commands.add_parser("evaluate", help="score .onnx files and the baselines on patch sets")
    add_data_options(parser)
    parser.add_argument("--model", type=Path, action="append", required=True, help="an exported network; may be repeated")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="resamples of the bootstrap")
    parser.add_argument(
        "--resample", choices=("patches", "events"), default="patches",
        help="what intervals draw: patches, or whole events where patches.json tells of five or more, since patches of an event are alike",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """The options that all commands that measure have in common."""
    parser.add_argument("--validation", type=Path, nargs="+", required=True, help="patches that thresholds are chosen on")
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="patches never used before")
    parser.add_argument("--out", type=Path, required=True, help="folder for JSON and report.html")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--tiling", choices=TILINGS, default="auto",
        help="auto: patches up to the manifest's size in one piece, larger ones as the server cuts them; "
        "served: always as the server; plain: always in one piece",
    )  # fmt: skip


def unique(folders: Sequence[Path]) -> dict[str, PatchSet]:
    """Opens patch sets, by names that tell them apart."""
    names = [f.resolve().name for f in folders]
    if len(set(names)) < len(names):
        names = [f"{f.resolve().parent.name}/{f.resolve().name}" for f in folders]
    return {n: PatchSet(f) for n, f in zip(names, folders, strict=True)}


def _run(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    validation, test = unique(options.validation), unique(options.test)
    shared = {s.folder.resolve() for s in validation.values()} & {s.folder.resolve() for s in test.values()}
    if shared:
        raise ValueError(f"evaluate: {min(shared)} is both validation and test")
    networks = [Served(p, options.threads, options.tiling) for p in options.model]
    options.out.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    pictures: list[report.Picture] = []
    print(HEADER)
    for network in networks:
        known = {name: predict(network, patches) for name, patches in validation.items()}
        threshold = Counts.join([p.counts() for p in known.values()]).total().best().threshold
        method = Method(network.name, "network", network, threshold)
        results += _table(method, validation, "validation", options, known)
        known = {name: predict(network, patches) for name, patches in test.items()}
        results += _table(method, test, "test", options, known)
        for name, patches in test.items():
            pictures += report.choose(method.name, name, patches, known[name], threshold)
    for b in baselines.fit(list(validation.values())):
        method = Method(b.name, "baseline", b.scorer, b.threshold)
        results += _table(method, validation, "validation", options)
        results += _table(method, test, "test", options)
    compare(results, options.rounds)
    _finish(options, networks, [r.row for r in results], pictures)


def _table(
    method: Method, sets: dict[str, PatchSet], split: str, options: argparse.Namespace, known: dict[str, Prediction] | None = None
) -> list[Result]:
    """A method's results on each patch set and its regions; ``known`` holds what it says where that was computed before."""
    out = []
    for name, patches in sets.items():
        prediction = known[name] if known else predict(method.scorer, patches)
        if isinstance(method.scorer, Served):
            method = replace(method, note=method.scorer.how(*patches.mask.shape[-2:]))
        groups = events(patches) if options.resample == "events" else None
        parts = {name: np.arange(len(patches))} | {f"{name}: {r}": i for r, i in regions(patches).items()}
        for data, chosen in parts.items():
            some = None if groups is None else groups[chosen]
            result = judge(method, prediction.select(chosen), data, options.rounds, some)
            result.row.update(split=split, region=data != name)
            print(line(result.row), flush=True)
            out.append(result)
    return out


def _finish(
    options: argparse.Namespace, networks: Sequence[Served], rows: list[dict[str, Any]], pictures: Sequence[report.Picture]
) -> None:
    for row in rows:
        if row["split"] == "test" and "lead" in row:
            low, high = row["lead"]["interval"]
            print(f"{row['method']} on {row['data']}: F1 {row['lead']['f1']:+.3f} ({low:+.3f} to {high:+.3f}) against {row['lead']['over']}")
    document = {
        "models": [{"name": n.name, "file": n.path.name, "manifest": n.has_manifest} for n in networks],
        "validation": list(dict.fromkeys(r["data"] for r in rows if r["split"] == "validation" and not r["region"])),
        "test": list(dict.fromkeys(r["data"] for r in rows if r["split"] == "test" and not r["region"])),
        "rounds": options.rounds,
        "resampled": options.resample,
        "object_rule": f"an object is matched when at least {objects.SHARE:g} of its pixels lie in the other mask",
        "rows": rows,
    }
    (options.out / "evaluation.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    report.write(options.out, "evaluation", report.evaluation(document, pictures))
    print(f"written: {options.out / 'evaluation.json'}, {options.out / 'report.html'}")


HEADER = f"{'method':40} {'data':28} {'thr':>5} {'IoU':>6} {'F1':>6} {'95 %':>13} {'prec':>6} {'rec':>6} {'AP':>6} {'ECE':>6} {'obj.rec':>7} {'obj.prec':>8}"


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    low, high = row["intervals"]["f1"]
    every = row["objects"][0]

    def number(x: float | None, width: int) -> str:
        return f"{'–' if x is None else format(x, '.3f'):>{width}}"

    return (
        f"{row['method'][:40]:40} {row['data'][:28]:28} {row['threshold']:5.3f} {row['iou']:6.3f} {row['f1']:6.3f} "
        f"{low:6.3f}–{high:.3f}  {row['precision']:6.3f} {row['recall']:6.3f} {row['average_precision']:6.3f} "
        f"{number(row.get('calibration_error'), 6)} {number(every['recall'], 7)} {number(every['precision'], 8)}"
    )
