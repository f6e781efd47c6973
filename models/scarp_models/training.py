"""The command that trains a bitemporal network."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from . import warmstart
from .data import PatchSet
from .loop import Pace
from .train import Recipe, train


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``train``."""
    parser = commands.add_parser("train", help="train a bitemporal network on patch sets, or go on with a run")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of training patches")
    parser.add_argument("--validation", type=Path, nargs="+", required=True, help="folders of validation patches")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished one is resumed")
    parser.add_argument("--minutes", type=float, help="length of the whole run, all resumptions together")
    parser.add_argument("--steps", type=int, help="length of the whole run in batches; the first of both ends it")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--check-minutes", type=float, default=5, help="between checks, which are also what is resumed from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--network", default="bbunet", help="a bitemporal network by name")
    parser.add_argument("--shares", type=float, nargs="+", help="how much of a batch comes from each --data folder")
    parser.add_argument("--start", type=Path, help="begin with a network: an exported BBUnet or BBUnet Lite (.onnx), or a checkpoint")
    parser.add_argument("--teacher", type=Path, help="learn the probabilities of a BBUnet (.onnx or checkpoint) along with the masks (distillation)")
    parser.add_argument("--distillation", type=float, default=0.5, help="weight of the teacher against the masks")
    parser.add_argument("--slope-prior", type=float, default=0, help="weight of what is known of gentle ground in the loss; 0: from data alone")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    pace = Pace(
        seconds=options.minutes * 60 if options.minutes else None,
        steps=options.steps,
        rate=options.rate,
        warmup=0.03,
        ema=0.998,
        check_seconds=options.check_minutes * 60,
        device=options.device,
        seed=options.seed,
    )
    shares = tuple(options.shares) if options.shares else None
    recipe = Recipe(pace, options.network, options.batch, shares=shares, distillation=options.distillation, slope_prior=options.slope_prior)
    data = [PatchSet(f) for f in options.data]
    start = warmstart.from_file(options.start, data[0]) if options.start else None
    teacher = warmstart.from_file(options.teacher, data[0]) if options.teacher else None
    train(recipe, data, [PatchSet(f) for f in options.validation], options.out, start, teacher)
