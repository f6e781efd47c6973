"""Training of the single-date networks on Landslide4Sense, as DeepSlide does it or better.

Three kinds of patches must not be mixed up: *training* blocks; *held-out* blocks of the training data, on
which the best weights and the threshold are chosen; and the validation file, which is only scored, once, at the end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import checkpoint, networks, single_about, warmstart
from .bbunet import BBUnet
from .data import PatchSet
from .landslide4sense import (
    CHANNELS,
    RGB,
    Patches,
    Sample,
    Source,
    in_blocks,
    open_h5,
    open_npz,
    reserved_blocks,
    without_blocks,
)
from .loop import Loop, Pace
from .metrics import Counts
from .single_augment import Changes, change
from .single_scores import count, predictor, report, torch_network
from .toa import SurfacePatches
from .train import loss

HELD_OUT = (5, 25)
"""Blocks of the training data that choose weights and threshold."""


@dataclass(frozen=True)
class Recipe:
    """How a single-date network is trained: the defaults are those of the shipped one."""

    pace: Pace
    network: str = "unet-resnet34"
    batch: int = 16
    positive_weight: float = 5.0
    weight_decay: float = 1e-4
    changes: Changes = field(default_factory=Changes)
    share: float = 1.0  # of the training blocks
    held_out: tuple[int, ...] = HELD_OUT
    leave_out: tuple[int, ...] = ()  # further blocks to keep away from training

    @staticmethod
    def deepslide(epoch: int, epochs: int = 100, patience: int = 15, **more: Any) -> Recipe:
        """DeepSlide's: Adam 1e-3, × 0.1 every 30 epochs, batch 16, no augmentation, early stopping. ``epoch`` is
        the number of steps that see every patch once. The number of epochs and the patience are not stated there."""
        pace = Pace(
            steps=epoch * epochs, schedule="step", epoch=epoch, ema=0, check_seconds=None,
            check_steps=epoch, patience=patience, clip=None, bfloat16=False,
        )  # fmt: skip
        return Recipe(pace, weight_decay=0, changes=Changes.none(), **more)


@dataclass
class Material:
    """What a run reads: sources to train on, and those that choose weights and threshold."""

    train: list[Source]
    held_out: list[Patches]

    @staticmethod
    def split(
        patches: Sequence[Patches], surface: Sequence[Source], recipe: Recipe, reserve: bool = True
    ) -> Material:
        """Divides by blocks. With ``reserve`` the blocks kept for validation and acceptance are left out."""
        held = [part for p in patches if len(part := in_blocks(p, recipe.held_out))]
        if not held:
            raise ValueError(f"train: no patch lies in the held-out blocks {recipe.held_out}; choose others")
        train: list[Source] = []
        for p in patches:
            away = {*recipe.held_out, *recipe.leave_out, *(reserved_blocks(p) if reserve else ())}
            kept = without_blocks(p, sorted(away))
            kept = in_blocks(kept, share_of_blocks(kept, recipe))
            if len(kept):
                train.append(kept)
        if not train:
            raise ValueError("train: no patches are left to train on")
        return Material([*train, *surface], held)


def share_of_blocks(patches: Patches, recipe: Recipe) -> list[int]:
    """The first share of the blocks in an order that only the seed decides, so that shares nest."""
    order = np.random.default_rng(recipe.pace.seed).permutation(100)
    blocks = sorted(set(patches.blocks().tolist()), key=lambda b: order[b % 100])
    return blocks[: max(1, round(len(blocks) * recipe.share))]


class Mixer:
    """Draws batches from several sources. A source's weight grows with its size, from 1 (up to 100 patches) to 6
    (600 and more), so that a handful of patches is seen often but not learnt by heart; surface patches, whose
    colours are a conversion, have 1.5."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = list(sources)
        weights = [1.5 if isinstance(s, SurfacePatches) else min(6.0, max(1.0, len(s) / 100)) for s in sources]
        self.shares = np.array(weights) / sum(weights)

    def draw(self, size: int, rng: np.random.Generator) -> Sample:
        """Gives ``size`` samples; what each source lost is drawn with ``rng``."""
        which = rng.choice(len(self.sources), size, p=self.shares)
        parts = []
        for number in np.unique(which):
            source = self.sources[number]
            rows = rng.integers(0, len(source), int((which == number).sum()))
            parts.append(source.batch(rows, rng))
        return Sample.join(parts)


def train(material: Material, folder: Path, recipe: Recipe, start: nn.Module | None = None) -> dict[str, Any]:
    """Trains, or goes on with a run, and chooses the threshold. Returns what is written to ``threshold.json``.
    A new run begins with ``start``: the same network, or a BBUnet whose encoder and decoder are taken over."""
    network = networks.get(recipe.network)
    if network.kind != "single-date":
        raise ValueError(f"train-single: {recipe.network} is {network.kind}; choose from {networks.names('single-date')}")
    torch.manual_seed(recipe.pace.seed)

    def optimizer(parameters: Any, rate: float) -> torch.optim.Optimizer:
        if recipe.weight_decay:
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=recipe.weight_decay)
        return torch.optim.Adam(parameters, lr=rate)

    sizes = {s.name: len(s) for s in material.train}
    configuration = {
        "recipe": {k: v for k, v in asdict(recipe).items() if k != "pace"},
        "training_patches": sizes,
        "held_out_patches": {s.name: len(s) for s in material.held_out},
    }
    model = network.build()
    if isinstance(start, BBUnet):
        configuration["started_from"] = f"{len(warmstart.single_date(start, model))} tensors of a BBUnet"
    elif start is not None:
        model.load_state_dict(start.state_dict())
        configuration["started_from"] = "the same network, trained before"
    loop = Loop(recipe.network, model, folder, recipe.pace, optimizer, configuration)
    print(f"{recipe.network}: {sizes}, step {loop.step}", flush=True)
    mixer, rng = Mixer(material.train), loop.generator()

    def batch_loss() -> Tensor:
        sample = change(mixer.draw(recipe.batch, rng), recipe.changes, rng)
        logits, on = loop.logits(sample.image), recipe.pace.device
        return 0.5 * loss(logits, sample.mask.to(on), sample.valid.to(on), recipe.positive_weight, 1.0)

    def check(model: nn.Module) -> dict[str, float]:
        whole = held_out_counts(model, material, recipe).total()
        best = whole.best()
        return {"score": best.f1, "average_precision": whole.average_precision()} | best.as_dict()

    loop.run(batch_loss, check)
    best = checkpoint.read(folder / "best.pt")["score"]
    answer = {"network": recipe.network, "threshold": best["threshold"], "held_out": best}
    (folder / "threshold.json").write_text(json.dumps(answer, indent=1) + "\n")
    return answer


def held_out_counts(model: nn.Module, material: Material, recipe: Recipe) -> Counts:
    """Scores the held-out blocks with what each source has of channels."""
    predict = torch_network(model.to(recipe.pace.device), recipe.pace.bfloat16, recipe.pace.device)
    return Counts.join([count(predict, s) for s in material.held_out])


def open_test(path: Path) -> Patches:
    """Opens patches to be scored: an .npz file, or a folder of the benchmark's HDF5 files."""
    return open_npz(path) if path.suffix == ".npz" else open_h5(path)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what to train on and how; shared by training, curve and cross-validation."""
    parser.add_argument("--network", default="unet-resnet34")
    parser.add_argument("--rgb", type=Path, nargs="*", default=[], help=".npz files of 8-bit RGB patches")
    parser.add_argument("--bands", type=Path, nargs="*", default=[], help=".npz files of 14-channel patches")
    parser.add_argument("--h5", type=Path, nargs="*", default=[], help="the benchmark's folder, or one of image_N.h5, mask_N.h5")
    parser.add_argument("--surface", type=Path, nargs="*", default=[], help="patch folders whose post image is made L1C-like")
    parser.add_argument("--validation", type=Path, nargs="*", default=[], help="patches that are only scored, at the end")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished one is resumed")
    parser.add_argument("--minutes", type=float, help="length of a run, all resumptions together")
    parser.add_argument("--steps", type=int, help="length of a run in steps; the first of both ends it")
    parser.add_argument("--deepslide", action="store_true", help="DeepSlide's recipe, by epochs, instead of the shipped one's")
    parser.add_argument("--epochs", type=int, default=100, help="of DeepSlide's recipe, which may stop earlier")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--zoom", type=float, default=0.0, help="turn and magnify half of the patches, by this deviation of the logarithm")
    parser.add_argument("--refresh", type=int, default=0, help="batches to measure batch norms on anew before a check; for short runs")
    parser.add_argument("--check-minutes", type=float, default=2.0, help="between checks, which are also what is resumed from")
    parser.add_argument("--held-out", type=int, nargs="+", default=list(HELD_OUT), help="blocks that choose weights and threshold")
    parser.add_argument("--all-blocks", action="store_true", help="train on the blocks kept for validation and acceptance too: for ValidData and TestData as tests")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)


def opened(options: argparse.Namespace) -> tuple[list[Patches], list[Source]]:
    """Opens what the options name: patches of the benchmark, and surface patches."""
    patches = [open_npz(p) for p in [*options.rgb, *options.bands]] + [open_h5(p) for p in options.h5]
    if not patches:
        raise ValueError("train-single: give --rgb, --bands or --h5")
    return patches, [SurfacePatches(PatchSet(p)) for p in options.surface]


def recipe_of(options: argparse.Namespace, patches: Sequence[Patches], **more: Any) -> Recipe:
    """The recipe that the options ask for."""
    same = {"network": options.network, "batch": options.batch, "held_out": tuple(options.held_out), **more}
    if options.deepslide:
        recipe = Recipe.deepslide(max(1, sum(map(len, patches)) // options.batch), options.epochs, **same)
        seconds = options.minutes * 60 if options.minutes else None
        return replace(recipe, pace=replace(recipe.pace, seconds=seconds, device=options.device, seed=options.seed))
    pace = Pace(
        seconds=options.minutes * 60 if options.minutes else None,
        steps=options.steps,
        rate=options.rate,
        refresh=options.refresh,
        check_seconds=options.check_minutes * 60,
        device=options.device,
        seed=options.seed,
    )
    return Recipe(pace, changes=Changes(zoom=options.zoom), **same)


def register(commands: Any) -> None:
    """Adds ``train-single``."""
    parser = commands.add_parser("train-single", help="train a single-date network on Landslide4Sense, or go on with a run")
    add_data_options(parser)
    parser.add_argument("--share", type=float, default=1.0, help="of the training blocks")
    parser.add_argument("--start", type=Path, help="begin with the same network, exported, or with encoder and decoder of a BBUnet, which --surface is needed to measure")
    parser.add_argument("--leave-out", type=int, nargs="*", default=[], help="further blocks to keep out of training")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    patches, surface = opened(options)
    recipe = recipe_of(options, patches, share=options.share, leave_out=tuple(options.leave_out))
    material = Material.split(patches, surface, recipe, reserve=not options.all_blocks)
    chosen = train(material, options.out, recipe, _start(options, material))
    rows = score_files(options.out, options.validation, chosen)
    about = single_about.write(options.out, recipe.changes.drop, chosen, rows)
    print(f"best weights: {options.out / 'best.pt'}; for export --about: {about}")


def _start(options: argparse.Namespace, material: Material) -> nn.Module | None:
    """The network to begin with. The same one is measured on training patches, a BBUnet on pairs."""
    if options.start is None:
        return None
    if exported := options.start.suffix == ".onnx":
        name = warmstart.network_in(options.start)
    else:
        network, start = checkpoint.load(options.start)
        name = network.name
    if name not in ("bbunet", options.network):
        raise ValueError(f"train-single: {options.start} holds {name}; --start takes a BBUnet, whose encoder and decoder are taken over, or {options.network}")
    if not exported:
        return start
    if name == options.network:
        mixer, rng = Mixer(material.train), np.random.default_rng(options.seed)
        return warmstart.from_onnx(options.start, (mixer.draw(16, rng) for _ in range(12)))
    if not options.surface:
        raise ValueError("train-single: --start needs --surface: patches that the BBUnet's batch norms are measured on")
    return warmstart.from_file(options.start, PatchSet(options.surface[0]))


def score_files(folder: Path, files: Sequence[Path], chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """Scores a run's best weights on patches that it never saw, and writes ``scores.json``."""
    predict = predictor(folder / "best.pt")[1]
    rows = []
    for path in files:
        patches = open_test(path)
        channels = [CHANNELS[c] for c in sorted(RGB)] if patches.eight_bit else list(CHANNELS)
        row = {"data": path.name, "channels": channels} | report(count(predict, patches), chosen["threshold"])
        print(f"{path.name}: F1 {row['f1']:.3f} {row['f1_95']}, IoU {row['iou']:.3f} at {chosen['threshold']:.3f}", flush=True)
        rows.append(row)
    if rows:
        (folder / "scores.json").write_text(json.dumps(rows, indent=1) + "\n")
    return rows
