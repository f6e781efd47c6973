"""Training and judging of the cloud network."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import networks
from .clouds import IGNORED, Scenes, Weather, normalise, real_series
from .data import PatchSet
from .loop import Loop, Pace, forward, open_network
from .networks.clouds import CLASSES

CLASS_WEIGHTS = (1.0, 1.5, 2.5, 2.0)
"""Of clear, thick, thin and shadow in the cross-entropy: sampling evens out most, this the rest."""


def train(scenes: Scenes, validation: Scenes, folder: Path, pace: Pace, weather: Weather, batch: int) -> Path:
    """Trains, or goes on with a run; returns the best checkpoint. Its score is the mean IoU of the four classes."""
    network = networks.get("clouds")
    torch.manual_seed(pace.seed)
    configuration = {"weather": asdict(weather), "batch": batch, "training_images": len(scenes)}

    def optimizer(parameters: Any, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=1e-4)

    loop = Loop("clouds", network.build(), folder, pace, optimizer, configuration)
    rng, weights = loop.generator(), torch.tensor(CLASS_WEIGHTS)

    def batch_loss() -> Tensor:
        drawn = [scenes.draw(weather, rng) for _ in range(batch)]
        image = torch.from_numpy(np.stack([normalise(d[0]) for d in drawn]))
        truth = torch.from_numpy(np.stack([d[1] for d in drawn])).long()
        return nn.functional.cross_entropy(loop.logits(image), truth, weights, ignore_index=IGNORED)

    # The same images at every check: half as they were simulated, half painted over and changed.
    fixed = validation_images(validation, weather)

    def check(model: nn.Module) -> dict[str, float]:
        scores = measure(confusion(lambda image: forward(model, (image,)), fixed))
        return {"score": scores["mean_iou"]} | {f"iou_{c}": scores[c]["iou"] for c in CLASSES}

    loop.run(batch_loss, check)
    return folder / "best.pt"


def validation_images(scenes: Scenes, weather: Weather, most: int = 200) -> list[tuple[np.ndarray, np.ndarray]]:
    """A fixed choice of images to judge by."""
    rng = np.random.default_rng(11)
    plain = []
    for pool in scenes.pools.values():
        chosen = rng.permutation(len(pool))[: most // 4]
        plain += [scenes.read(pool[i]) for i in chosen]
    return plain + [scenes.draw(weather, rng) for _ in range(most // 2)]


def confusion(logits: Callable[[Tensor], Tensor], images: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """4 × 4 pixels: truth in rows, the network's class in columns. Images may have any size."""
    total = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for _, run in itertools.groupby(images, key=lambda pair: pair[1].shape):
        for part in _batched(run, 16):
            image, truth = np.stack([normalise(p[0]) for p in part]), np.stack([p[1] for p in part])
            height, width = truth.shape[1:]
            padded = np.pad(image, ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32)), mode="symmetric")
            scores = logits(torch.from_numpy(padded))
            if scores.shape[1] != len(CLASSES):
                raise ValueError(f"judge clouds: the network answers with {scores.shape[1]} channels, not {len(CLASSES)} classes")
            answer = scores.argmax(1).numpy()[:, :height, :width]
            counted = truth != IGNORED
            pairs = truth[counted].astype(np.int64) * len(CLASSES) + answer[counted]
            total += np.bincount(pairs, minlength=total.size).reshape(total.shape)
    return total


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of up to ``size`` items."""
    items = iter(items)
    while part := list(itertools.islice(items, size)):
        yield part


def measure(matrix: np.ndarray) -> dict[str, Any]:
    """Recall, precision and IoU of each class, of cloud (thick or thin), and the mean IoU of the classes that occur."""

    def one(truth: np.ndarray, answer: np.ndarray, both: int) -> dict[str, float]:
        return {
            "pixels": int(truth.sum()),
            "recall": round(both / max(int(truth.sum()), 1), 4),
            "precision": round(both / max(int(answer.sum()), 1), 4),
            "iou": round(both / max(int(truth.sum() + answer.sum()) - both, 1), 4),
        }

    out: dict[str, Any] = {
        name: one(matrix[i], matrix[:, i], int(matrix[i, i])) for i, name in enumerate(CLASSES)
    }
    occurring = [out[c]["iou"] for c in CLASSES if out[c]["pixels"]]
    out["cloud"] = one(matrix[1:3], matrix[:, 1:3], int(matrix[1:3, 1:3].sum()))
    out["mean_iou"] = round(float(np.mean(occurring)), 4) if occurring else 0.0
    out["accuracy"] = round(float(np.trace(matrix) / max(matrix.sum(), 1)), 4)
    return out


def register(commands: Any) -> None:
    """Adds ``train-clouds`` and ``evaluate-clouds``."""
    parser = commands.add_parser("train-clouds", help="train the cloud network on patch sets, or go on with a run")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of training patches")
    parser.add_argument("--validation", type=Path, nargs="+", required=True, help="folders of validation patches")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished one is resumed")
    parser.add_argument("--minutes", type=float, help="length of the whole run, all resumptions together")
    parser.add_argument("--steps", type=int, help="length in steps; the first of both ends the run")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--check-minutes", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=_train)

    judge = commands.add_parser("evaluate-clouds", help="score a cloud network on patch sets and on real scene classifications")
    judge.add_argument("--model", type=Path, required=True, help="best.pt of a run, or an exported .onnx file")
    judge.add_argument("--test", type=Path, nargs="*", default=[], help="folders of patches")
    judge.add_argument("--series", type=Path, nargs="*", default=[], help="folders of S2_L2A_10m_*.nc and S2_L2A_20m_*.nc")
    judge.add_argument("--out", type=Path, help="write the scores as JSON as well")
    judge.add_argument("--threads", type=int, default=2)
    judge.set_defaults(run=_evaluate)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    pace = Pace(
        seconds=options.minutes * 60 if options.minutes else None,
        steps=options.steps,
        rate=options.rate,
        check_seconds=options.check_minutes * 60,
        seed=options.seed,
    )
    train_on, judge_on = (Scenes([PatchSet(p) for p in folders]) for folders in (options.data, options.validation))
    best = train(train_on, judge_on, options.out, pace, Weather(), options.batch)
    print(f"best weights: {best}")


def _evaluate(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    _, logits = open_network(options.model, options.threads)
    tests: dict[str, Iterable[tuple[np.ndarray, np.ndarray]]] = {}
    for folder in options.test:
        tests[folder.name] = Scenes([PatchSet(folder)]).images()
    for folder in options.series:
        tests[f"{folder.name} (against the scene classification)"] = real_series(folder)
    if not tests:
        raise ValueError("evaluate-clouds: give --test or --series")
    rows = {}
    for label, images in tests.items():
        matrix = confusion(logits, images)
        rows[label] = measure(matrix) | {"confusion": matrix.tolist()}
        print(f"{label}: mean IoU {rows[label]['mean_iou']:.3f}, accuracy {rows[label]['accuracy']:.3f}")
        for c in (*CLASSES, "cloud"):
            r = rows[label][c]
            print(f"  {c:8} {r['pixels']:9} px  recall {r['recall']:.3f}  precision {r['precision']:.3f}  IoU {r['iou']:.3f}")
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
