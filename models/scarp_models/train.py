"""Training of the bitemporal networks against the clock, on a CPU."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from . import checkpoint, networks
from .augment import Augmentation, Augmenter
from .data import Batch, PatchSet, Sampler
from .metrics import Histogram


@dataclass(frozen=True)
class Settings:
    """How to train. Times are seconds of training proper, checks on validation data included."""

    seconds: float
    network: str = "bbunet"
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
    shares: tuple[float, ...] | None = None  # how much of a batch comes from each patch set; None: by their sizes
    distillation: float = 0.5  # weight of a teacher's answer against the mask's, where there is a teacher
    augmentation: Augmentation = field(default_factory=Augmentation)


def loss(logits: Tensor, mask: Tensor, valid: Tensor, positive_weight: float, dice_weight: float) -> Tensor:
    """Weighted binary cross-entropy plus soft Dice over the batch; invalid pixels count for neither.

    ``mask`` may hold shares between 0 and 1. Logits of two classes count as the second's over the first.
    """
    logits = one_logit(logits)
    logits, keep = logits.float(), valid.float()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, mask, reduction="none", pos_weight=logits.new_tensor(positive_weight)
    )
    entropy = (entropy * keep).sum() / keep.sum().clamp_min(1)
    probability, truth = torch.sigmoid(logits) * keep, mask * keep
    dice = 1 - (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)
    return entropy + dice_weight * dice


def one_logit(logits: Tensor) -> Tensor:
    """N,1,H,W logits of the landslide, also for a network that answers with two classes."""
    return logits if logits.shape[1] == 1 else logits[:, 1:2] - logits[:, 0:1]


class Average:
    """Exponential moving average of weights and running statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


class Trainer:
    """One training run in a folder: ``last.pt`` to resume from, ``best.pt``, ``log.jsonl``."""

    def __init__(
        self,
        train: list[PatchSet],
        validation: list[PatchSet],
        folder: Path,
        settings: Settings,
        start: nn.Module | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        """``start`` gives the weights to begin with, where there is no run to resume; ``teacher`` is a BBUnet
        whose probabilities the network learns along with the masks."""
        self.network = networks.get(settings.network)
        if self.network.kind != "bitemporal":
            raise ValueError(f"train {settings.network}: it is {self.network.kind}, this trains bitemporal networks")
        self.teacher = teacher.eval().to(memory_format=torch.channels_last) if teacher else None
        self.settings, self.folder, self.validation = settings, folder, validation
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        model = self.network.build()
        if start is not None:
            model.load_state_dict(start.state_dict())
        self.model = model.to(memory_format=torch.channels_last)
        self.average = Average(self.model, settings.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, amsgrad=True
        )
        self.step, self.elapsed, self.best = 0, 0.0, -1.0
        if (folder / "last.pt").exists():
            self._resume(folder / "last.pt")
        # The seed of what is drawn moves on with the step, so a resumed run doesn't see the same batches again.
        self.sampler = Sampler(train, settings.seed + self.step, many=settings.many, shares=settings.shares)
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
            logits = self.model(*inputs[: len(self.network.inputs)])
        mask = batch.mask
        if self.teacher is not None:
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                answer = torch.sigmoid(one_logit(self.teacher(*inputs)).float())
            mask = (1 - s.distillation) * mask + s.distillation * answer
        value = loss(logits, mask, batch.valid, s.positive_weight, s.dice_weight)
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

    def averaged(self) -> nn.Module:
        """The network with the averaged weights."""
        model = self.network.build()
        model.load_state_dict(self.average.state)
        return model.eval()

    @torch.no_grad()
    def _validate(self) -> Histogram:
        model, histogram = self.averaged().to(memory_format=torch.channels_last), Histogram()
        for patches in self.validation:
            for batch in patches.batches(self.settings.batch):
                inputs = [x.contiguous(memory_format=torch.channels_last) for x in batch.inputs()]
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    logits = model(*inputs[: len(self.network.inputs)])
                score = torch.sigmoid(one_logit(logits).float())
                histogram.add(score.numpy(), batch.mask.numpy() > 0, batch.valid.numpy())
        return histogram

    def _check(self, losses: list[float]) -> None:
        began = time.monotonic()
        histogram = self._validate()
        score = histogram.best()
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
            slim = {k: state[k] for k in ("ema", "step", "score", "settings")} | {"network": self.network.name}
            checkpoint.write(self.folder / "best.pt", slim)

    def _resume(self, path: Path) -> None:
        content = checkpoint.read(path)
        self.model.load_state_dict(content["state_dict"])
        self.average.state = content["ema"]
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.elapsed, self.best = content["step"], content["elapsed"], content["best"]
