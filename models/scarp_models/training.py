"""The command that trains a bitemporal network."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import torch

from . import warmstart
from .data import PatchSet
from .train import Settings, Trainer


def register(commands: argparse._SubParsersAction) -> None:
    """Adds ``train``."""
    train = commands.add_parser("train", help="train a bitemporal network on patch sets, or go on with a run")
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
    train.add_argument("--network", default="bbunet", help="a bitemporal network by name")
    train.add_argument("--shares", type=float, nargs="+", help="how much of a batch comes from each --data folder")
    train.add_argument("--start", type=Path, help="begin with a BBUnet: an exported .onnx, or a checkpoint")
    train.add_argument("--teacher", type=Path, help="learn a BBUnet's probabilities along with the masks (distillation)")
    train.add_argument("--distillation", type=float, default=0.5, help="weight of the teacher against the masks")
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    settings = Settings(
        seconds=options.minutes * 60,
        batch=options.batch,
        learning_rate=options.rate,
        validate_every=options.validate_every * 60,
        seed=options.seed,
        network=options.network,
        shares=tuple(options.shares) if options.shares else None,
        distillation=options.distillation,
    )
    data = [PatchSet(f) for f in options.data]
    start = warmstart.from_file(options.start, data[0]) if options.start else None
    teacher = warmstart.from_file(options.teacher, data[0]) if options.teacher else None
    trainer = Trainer(data, [PatchSet(f) for f in options.validation], options.out, settings, start, teacher)
    print(f"{len(trainer.sampler)} training patches, step {trainer.step}", flush=True)
    end = datetime.time.fromisoformat(options.until) if options.until else None
    trainer.run(stop=lambda: end is not None and datetime.datetime.now().time() >= end)
