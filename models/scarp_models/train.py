"""Training of BBUnet against the clock, on a CPU."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from . import checkpoint
from .augment import Augmentation, Augmenter
from .bbunet import BBUnet
from .data import Batch, PatchSet, Sampler
from .evaluate import predict_patches
from .metrics import Score


@dataclass(frozen=True)
class Settings:
    """How to train. Times are seconds of training proper, checks on validation data included."""

    seconds: float
    batch: int = 16
    learning_rate: float = 1e-3
    final_rate: float = 1e-5
    weight_decay: float = 1e-4
    warmup: float = 0.03  # share of the time
    positive_weight: float = 3.0
    dice_weight: float = 0.5
    ema_decay: float = 0.998
    validate_every: float = 300.0
    seed: int = 1
    many: int = 50
    augmentation: Augmentation = field(default_factory=Augmentation)


def loss(logits: Tensor, mask: Tensor, valid: Tensor, positive_weight: float, dice_weight: float) -> Tensor:
    """Weighted binary cross-entropy plus soft Dice over the batch; invalid pixels count for neither."""
    logits, keep = logits.float(), valid.float()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, mask, reduction="none", pos_weight=logits.new_tensor(positive_weight)
    )
    entropy = (entropy * keep).sum() / keep.sum().clamp_min(1)
    probability, truth = torch.sigmoid(logits) * keep, mask * keep
    dice = 1 - (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)
    return entropy + dice_weight * dice


class Average:
    """Exponential moving average of weights and running statistics."""

    def __init__(self, model: BBUnet, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: BBUnet, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


class Trainer:
    """One training run in a folder: ``last.pt`` to resume from, ``best.pt``, ``log.jsonl``."""

    def __init__(self, train: list[PatchSet], validation: list[PatchSet], folder: Path, settings: Settings) -> None:
        self.settings, self.folder, self.validation = settings, folder, validation
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.model = BBUnet().to(memory_format=torch.channels_last)
        self.average = Average(self.model, settings.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, amsgrad=True
        )
        self.step, self.elapsed, self.best = 0, 0.0, -1.0
        if (folder / "last.pt").exists():
            self._resume(folder / "last.pt")
        # The seed of what is drawn moves on with the step, so a resumed run doesn't see the same batches again.
        self.sampler = Sampler(train, settings.seed + self.step, many=settings.many)
        self.augment = Augmenter(settings.augmentation, settings.seed + self.step)
        self.last_check = self.elapsed

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Trains until the time is used up or ``stop`` says so, then validates and saves once more."""
        s, losses = self.settings, []
        while self.elapsed < s.seconds and not stop():
            began = time.monotonic()
            rate = self._rate()
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses.append(self._train_step(self.augment(self.sampler.draw(s.batch))))
            self.step += 1
            self.average.update(self.model, self.step)
            self.elapsed += time.monotonic() - began
            if self.elapsed - self.last_check >= s.validate_every:
                self._check(losses)
                losses = []
        self._check(losses)

    def _train_step(self, batch: Batch) -> float:
        s = self.settings
        self.model.train()
        inputs = [x.contiguous(memory_format=torch.channels_last) for x in batch.inputs()]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model(*inputs)
        value = loss(logits, batch.mask, batch.valid, s.positive_weight, s.dice_weight)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        return float(value.detach())

    def _rate(self) -> float:
        """Linear warm-up, then a cosine to the end of the time."""
        s = self.settings
        done = min(self.elapsed / s.seconds, 1.0)
        if done < s.warmup:
            return s.learning_rate * max(done / s.warmup, 0.02)
        along = (done - s.warmup) / (1 - s.warmup)
        return s.final_rate + (s.learning_rate - s.final_rate) * 0.5 * (1 + math.cos(math.pi * along))

    def averaged(self) -> BBUnet:
        """The network with the averaged weights."""
        model = BBUnet()
        model.load_state_dict(self.average.state)
        return model.eval()

    def _check(self, losses: list[float]) -> None:
        began = time.monotonic()
        histogram = predict_patches(self.averaged(), self.validation)
        score: Score = histogram.best()
        self.elapsed += time.monotonic() - began
        self.last_check = self.elapsed
        entry = {
            "time": time.strftime("%H:%M:%S"),
            "minutes": round(self.elapsed / 60, 1),
            "step": self.step,
            "patches": self.step * self.settings.batch,
            "rate": round(self._rate(), 7),
            "loss": round(sum(losses) / max(len(losses), 1), 4),
            "average_precision": round(histogram.average_precision(), 4),
            **score.as_dict(),
        }
        print(json.dumps(entry), flush=True)
        with open(self.folder / "log.jsonl", "a") as log:
            log.write(json.dumps(entry) + "\n")
        state = {
            "state_dict": self.model.state_dict(),
            "ema": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "best": max(self.best, score.iou),
            "score": score.as_dict(),
            "settings": asdict(self.settings),
        }
        checkpoint.write(self.folder / "last.pt", state)
        if score.iou > self.best:
            self.best = score.iou
            slim = {k: state[k] for k in ("ema", "step", "score", "settings")}
            checkpoint.write(self.folder / "best.pt", slim)

    def _resume(self, path: Path) -> None:
        content = checkpoint.read(path)
        self.model.load_state_dict(content["state_dict"])
        self.average.state = content["ema"]
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.elapsed, self.best = content["step"], content["elapsed"], content["best"]
