"""What a network owes to each of its inputs, and what worse data cost it: patches are changed, the network is not.

The threshold is chosen on intact validation data and then fixed. Every row is measured on the same test patches as the
intact one, so differences are given with paired intervals.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import degrade, physics, report
from .baselines import Scorer
from .bbunet import BANDS
from .data import Batch, PatchSet
from .evaluate import Prediction, add_data_options, predict, unique
from .metrics import ROUNDS, Counts, codes, difference
from .served import Served

RGB = ("B02", "B03", "B04")
GROUPS = {
    "red, green, blue only": RGB,
    "10 m bands only (RGB and near infrared)": (*RGB, "B08"),
    "10 m and 20 m bands only": tuple(b for b in BANDS if b not in ("B01", "B09")),
}
SIZES = (64, 128, 256, 512)
SEASONS = (0, 30, 60, 120, 184)  # days of the year apart
PARTS = ("bands", "inputs", "resolution", "cloud", "registration", "season", "size", "physics")


@dataclass(frozen=True)
class Variant:
    """One change to patches."""

    part: str
    name: str
    change: Callable[[Batch, int], Batch]
    """Gives the changed batch; the number is that of its first patch, for seeds."""


def variants(required: set[str]) -> Iterator[Variant]:
    """Everything that is one run of the network on changed patches; ``required`` bands are marked as such."""
    for band in BANDS:
        note = " (required)" if band in required else ""
        yield Variant("bands", f"without {band}{note}", lambda b, i, band=band: degrade.only(b, [x for x in BANDS if x != band]))
    for name, kept in GROUPS.items():
        yield Variant("bands", name, lambda b, i, kept=kept: degrade.only(b, kept))
        if len(kept) < 10:
            yield Variant("bands", f"{name}, no terrain", lambda b, i, kept=kept: degrade.flat(degrade.only(b, kept)))
    yield Variant("inputs", "terrain off", lambda b, i: degrade.flat(b))
    yield Variant("inputs", "pre off (post on both dates)", lambda b, i: replace(b, pre=b.post))
    for metres in (15, 20, 30):
        yield Variant("resolution", f"{metres} m", lambda b, i, m=metres: degrade.coarse(b, m))
    for pixels in (0.5, 1.0, 1.5, 2.0):
        yield Variant("registration", f"{pixels:g} pixels apart", lambda b, i, p=pixels: degrade.apart(b, p, i))


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the command ``ablate``."""
    parser = commands.add_parser("ablate", help="measure what a network owes to its inputs, and what worse data cost it")
    add_data_options(parser)
    parser.add_argument("--model", type=Path, required=True, help="an exported network")
    parser.add_argument("--large", type=Path, nargs="+", default=[], help="larger patches (512), for the effect of the patch size")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS, help="what to measure")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="resamples of the bootstrap")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    network = Served(options.model, options.threads, options.tiling)
    validation, test = list(unique(options.validation).values()), list(unique(options.test).values())
    run = Run(network, validation, test, options.rounds)
    large = [PatchSet(f) for f in options.large]
    print(f"{network.name}, threshold {run.threshold:.3f}\n{HEADER}\n{line(run.rows[0])}", flush=True)
    for step in run.steps(set(options.parts), large):
        for row in step:
            run.rows.append(row)
            print(line(row), flush=True)
    document = {
        "model": network.name,
        "validation": sorted(str(s.folder.name) for s in validation),
        "test": sorted(str(s.folder.name) for s in test),
        "threshold": run.threshold,
        "rounds": options.rounds,
        "rows": run.rows,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"ablations-{network.name.replace('/', '-')}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    report.write(options.out, f"ablations_{network.name}", report.ablations(document))
    print(f"written: {path}, {options.out / 'report.html'}")


class Run:
    """A network, its threshold from validation data, and its result on the intact test patches to compare with."""

    def __init__(self, network: Served, validation: Sequence[PatchSet], test: Sequence[PatchSet], rounds: int = ROUNDS) -> None:
        self.network, self.validation, self.test, self.rounds = network, validation, test, rounds
        self.on_validation = [predict(network, s) for s in validation]
        self.threshold = Counts.join([p.counts() for p in self.on_validation]).total().best().threshold
        self.intact = [predict(network, s) for s in test]
        self.counts = Counts.join([p.counts() for p in self.intact])
        self.rows = [self.row("intact", "intact", self.counts)]

    def steps(self, parts: set[str], large: Sequence[PatchSet]) -> Iterator[list[dict[str, Any]]]:
        """Measures one thing after the other."""
        for variant in variants(self.network.required()):
            if variant.part in parts:
                changed = [predict(self.network, s, change=variant.change) for s in self.test]
                yield [self.row(variant.part, variant.name, Counts.join([p.counts() for p in changed]))]
        if "cloud" in parts:
            for share in (0.1, 0.25, 0.5):
                yield self.clouds(share)
        if "season" in parts:
            yield self.seasons()
        if "size" in parts:
            yield from self.sizes(large or self.test)
        if "physics" in parts:
            yield self.physics()

    def row(self, part: str, name: str, counts: Counts, threshold: float | None = None, paired: bool = True) -> dict[str, Any]:
        """One row of the results; ``paired`` when the patches are the intact ones."""
        at = self.threshold if threshold is None else threshold
        total = counts.total()
        out: dict[str, Any] = {"part": part, "variant": name, "patches": len(counts)}
        out |= total.at(at).as_dict() | {"average_precision": round(total.average_precision(), 4)}
        out["f1_at_best_threshold"] = round(total.best().f1, 4)  # what the fixed threshold costs; not a result
        out["intervals"] = counts.intervals(at, self.rounds)
        if paired and part != "intact":
            value, low, high = difference(self.counts, self.threshold, counts, at, self.rounds)
            out["difference"] = {"f1": value, "interval": (low, high)}
        return out

    def clouds(self, share: float) -> list[dict[str, Any]]:
        """More thick cloud on one of the dates: known to the mask, and missed by it. The network runs once for both."""
        hidden = []

        def change(batch: Batch, first: int) -> Batch:
            clouded, where = degrade.cloud(batch, share, first)
            hidden.append(where.numpy()[:, 0])
            return clouded

        missed, masked = [], []
        for patches in self.test:
            hidden.clear()
            p = predict(self.network, patches, change=change)
            missed.append(p.counts())
            masked.append(replace(p, valid=p.valid & ~np.concatenate(hidden)).counts())
        percent = f"{100 * share:g} % more thick cloud"
        return [
            self.row("cloud", f"{percent}, masked out", Counts.join(masked)),
            self.row("cloud", f"{percent}, missed by the mask", Counts.join(missed)),
        ]

    def seasons(self) -> list[dict[str, Any]]:
        """The intact result by how far apart in the year the dates are, where ``patches.json`` tells."""
        gaps = np.concatenate([season_gaps(s) for s in self.test])
        rows = []
        for low, high in zip(SEASONS, SEASONS[1:], strict=False):
            inside = np.flatnonzero((gaps >= low) & (gaps < high))
            if len(inside):
                name = f"{low} to {high - 1} days of the year apart"
                rows.append(self.row("season", name, self.counts.select(inside), paired=False))
        return rows

    def sizes(self, sets: Sequence[PatchSet]) -> Iterator[list[dict[str, Any]]]:
        """Patches cut into tiles of a size, each predicted alone, without overlap; then as served."""
        side = min(s.mask.shape[-1] for s in sets)
        alone = Served(self.network.path, 1, "plain")
        alone.session = self.network.session
        fixed = self.network.patch.get("fixed", False)
        for size in SIZES:
            fits = side % size == 0 and size % self.network.patch["multiple_of"] == 0
            if fits and (not fixed or size == self.network.patch["size"]):
                counts = Counts.join([predict(in_tiles(alone, size), s, batch=1).counts() for s in sets])
                yield [self.row("size", f"{size} × {size}, no overlap ({side} in all)", counts, paired=False)]
        served = Served(self.network.path, 1, "served")
        served.session = self.network.session
        counts = Counts.join([predict(served, s, batch=1).counts() for s in sets])
        yield [self.row("size", f"{served.how(side, side)} ({side} in all)", counts, paired=False)]

    def physics(self) -> list[dict[str, Any]]:
        """What is known of landslides beforehand, put upon the network's result; settings from validation data."""
        best: dict[str, tuple[float, str, float, physics.Rule]] = {}
        for kind, name, rule in physics.rules():
            counts = Counts.join([self._ruled(p, s, rule) for p, s in zip(self.on_validation, self.validation, strict=True)])
            # A rule on components was made at the network's threshold; another one would make others.
            score = counts.total().at(self.threshold) if kind == "runout" else counts.total().best()
            if kind not in best or score.iou > best[kind][0]:
                best[kind] = (score.iou, name, score.threshold, rule)
        rows = []
        for _, name, threshold, rule in best.values():
            counts = Counts.join([self._ruled(p, s, rule) for p, s in zip(self.intact, self.test, strict=True)])
            rows.append(self.row("physics", name, counts, threshold))
        return rows

    def _ruled(self, prediction: Prediction, patches: PatchSet, rule: physics.Rule) -> Counts:
        steps = np.stack([codes(rule(p / 250, patches.terrain[i], self.threshold)) for i, p in enumerate(prediction.steps)])
        return replace(prediction, steps=steps).counts()


def season_gaps(patches: PatchSet) -> np.ndarray:
    """Days of the year (0 to 183) between the dates of each patch, −1 where ``patches.json`` doesn't tell."""
    path = patches.folder / "patches.json"
    events = json.loads(path.read_text()).get("events", []) if path.exists() else []
    gaps: list[int] = []
    for event in events:
        if not {"pre_date", "post_date", "patches"} <= set(event):
            break
        pre, post = (datetime.date.fromisoformat(event[k]).timetuple().tm_yday for k in ("pre_date", "post_date"))
        apart = abs(post - pre)
        gaps += [min(apart, 366 - apart)] * event["patches"]
    return np.array(gaps) if len(gaps) == len(patches) else np.full(len(patches), -1)


def in_tiles(scorer: Scorer, size: int) -> Scorer:
    """Cuts patches into tiles that are scored alone, and puts the scores together."""

    def score(batch: Batch) -> np.ndarray:
        n, _, height, width = batch.pre.shape
        rows, columns = height // size, width // size

        def cut(x: torch.Tensor) -> torch.Tensor:
            tiles = x.reshape(n, -1, rows, size, columns, size)
            return tiles.permute(0, 2, 4, 1, 3, 5).reshape(n * rows * columns, -1, size, size)

        parts = Batch(*(cut(x) for x in (batch.pre, batch.post, batch.terrain, batch.mask, batch.valid)))
        scores = scorer(parts).reshape(n, rows, columns, size, size)
        return scores.transpose(0, 1, 3, 2, 4).reshape(n, 1, height, width)

    return score


HEADER = f"{'part':13} {'variant':52} {'IoU':>6} {'F1':>6} {'prec':>6} {'rec':>6} {'AP':>6} {'ΔF1':>7} {'95 %':>15}"


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    delta = ""
    if "difference" in row:
        low, high = row["difference"]["interval"]
        delta = f" {row['difference']['f1']:+7.3f} {low:+7.3f}–{high:+.3f}"
    four = " ".join(f"{row[m]:6.3f}" for m in ("iou", "f1", "precision", "recall", "average_precision"))
    return f"{row['part']:13} {row['variant'][:52]:52} {four}{delta}"
