"""The training loop of all networks.

Only what is common lies here: one network, one optimiser, a schedule against the clock or by epochs, averaged
weights, checks, early stopping, a log, and a folder to resume from. What a batch is and how it is
judged is the caller's.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from . import checkpoint, networks


@dataclass(frozen=True)
class Pace:
    """How long and how fast a network is trained. Give ``seconds``, ``steps`` or both: the first to be
    used up ends the run. Checks on validation data count as training time."""

    seconds: float | None = None
    steps: int | None = None
    rate: float = 1e-3
    schedule: str = "cosine"
    """``cosine``: warm-up, then down to ``rate / 100`` at the end of the run; ``step``: × 0.1 every 30
    epochs; ``exponential``: × 0.99 after every epoch."""
    epoch: int = 100
    """Steps in an epoch; the cosine doesn't need it."""
    warmup: float = 0.04
    ema: float = 0.995
    """Decay of the averaged weights; 0 judges and keeps the weights as they are."""
    refresh: int = 0
    """Batches on which the moments of batch norms are measured anew before every check. In runs of a few hundred steps
    running moments lag behind, those of mobile encoders so far that nothing is found; 0 leaves them as they are."""
    check_seconds: float | None = 120.0
    check_steps: int | None = None
    patience: int | None = None
    """Checks without a better score after which the run ends."""
    clip: float | None = 5.0
    """Longest gradient."""
    bfloat16: bool | None = None
    """None: where the device is faster at it. Processors without instructions for it take ten times as long."""
    device: str = "cpu"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.bfloat16 is None:
            object.__setattr__(self, "bfloat16", fast_bfloat16(self.device))
        if self.seconds is None and self.steps is None:
            raise ValueError("train: give minutes, steps or epochs, else the run never ends")
        if self.schedule not in ("cosine", "step", "exponential"):
            raise ValueError(f"train: no schedule is called {self.schedule!r}: choose cosine, step or exponential")


def fast_bfloat16(device: str) -> bool:
    """Whether a device computes in bfloat16 rather than emulating it."""
    return torch.device(device).type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


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


class Loop:
    """A run in a folder: ``run.json`` says what it is, ``log.jsonl`` holds its curve, ``last.pt`` what
    to resume from and ``best.pt`` the weights that scored best on validation."""

    def __init__(
        self,
        network: str,
        model: nn.Module,
        folder: Path,
        pace: Pace,
        optimizer: Callable[[Any, float], torch.optim.Optimizer],
        configuration: dict[str, Any],
    ) -> None:
        """``optimizer`` makes one from parameters and learning rate. ``configuration`` is written to
        ``run.json`` with the pace, the commit and the versions that the run was made with."""
        self.network, self.folder, self.pace = network, folder, pace
        folder.mkdir(parents=True, exist_ok=True)
        self.model = model.to(pace.device, memory_format=torch.channels_last)
        self.average = Average(self.model, pace.ema)
        self.optimizer = optimizer(self.model.parameters(), pace.rate)
        self.step, self.elapsed, self.best, self.stale = 0, 0.0, -math.inf, 0
        if (folder / "last.pt").exists():
            self._resume()
        record = {"network": network, "pace": asdict(pace), **configuration, **_surroundings()}
        (folder / "run.json").write_text(json.dumps(record, indent=1, default=str) + "\n")

    def generator(self) -> np.random.Generator:
        """Random numbers for what is drawn. A resumed run gets others, and so doesn't see the same batches again."""
        return np.random.default_rng([self.pace.seed, self.step])

    def logits(self, *inputs: Tensor) -> Tensor:
        """The training network's output, in float32."""
        return forward(self.model, inputs, self.pace.device, self.pace.bfloat16)

    def run(self, batch_loss: Callable[[], Tensor], check: Callable[[nn.Module], dict[str, float]]) -> float:
        """Trains until time or steps are used up, or until patience is at an end. ``batch_loss`` draws
        a batch and gives its loss; ``check`` judges a network, and ``score`` in its answer is better when higher.
        Returns the best score."""
        losses: list[float] = []
        since_seconds, since_step = self.elapsed, self.step
        while not self._over():
            began = time.monotonic()
            self.model.train()
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate()
            value = batch_loss()
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()
            if self.pace.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.pace.clip)
            self.optimizer.step()
            losses.append(float(value.detach()))
            if not math.isfinite(losses[-1]):
                raise ValueError(f"train {self.network}: the loss is {losses[-1]} at step {self.step}; lower the rate")
            self.step += 1
            self.average.update(self.model, self.step)
            self.elapsed += time.monotonic() - began
            due_time = self.pace.check_seconds and self.elapsed - since_seconds >= self.pace.check_seconds
            due_step = self.pace.check_steps and self.step - since_step >= self.pace.check_steps
            if due_time or due_step:
                self._check(batch_loss, check, losses)
                losses, since_seconds, since_step = [], self.elapsed, self.step
        if losses or self.best == -math.inf:
            self._check(batch_loss, check, losses)
        return self.best

    def _check(
        self, batch_loss: Callable[[], Tensor], check: Callable[[nn.Module], dict[str, float]], losses: list[float]
    ) -> None:
        began = time.monotonic()
        own = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.state)
        with torch.no_grad():
            self._refresh(batch_loss)
            judged = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            scores = check(self.model.eval())
        self.model.load_state_dict(own)
        self.elapsed += time.monotonic() - began
        better = scores["score"] > self.best
        self.stale = 0 if better else self.stale + 1
        self.best = max(self.best, scores["score"])
        entry = {
            "time": time.strftime("%H:%M:%S"),
            "minutes": round(self.elapsed / 60, 2),
            "step": self.step,
            "rate": round(self._rate(), 7),
            "loss": round(sum(losses) / max(len(losses), 1), 4),
        } | {k: round(float(v), 4) for k, v in scores.items()}
        print(json.dumps(entry), flush=True)
        with open(self.folder / "log.jsonl", "a") as log:
            log.write(json.dumps(entry) + "\n")
        kept = {"ema": judged, "network": self.network, "step": self.step, "score": entry}
        if better:
            checkpoint.write(self.folder / "best.pt", kept)
        checkpoint.write(
            self.folder / "last.pt",
            kept
            | {
                "ema": self.average.state,
                "state_dict": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "elapsed": self.elapsed,
                "best": self.best,
                "stale": self.stale,
            },
        )

    def _refresh(self, batch_loss: Callable[[], Tensor]) -> None:
        """Measures the moments of batch norms over ``pace.refresh`` batches, with the weights as they are."""
        norms = [m for m in self.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if not norms or not self.pace.refresh:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all that it sees
        self.model.train()
        for _ in range(self.pace.refresh):
            batch_loss()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def _resume(self) -> None:
        path = self.folder / "last.pt"
        content = checkpoint.read(path)
        if content.get("network") != self.network:
            raise ValueError(f"resume {path}: it holds {content.get('network')!r}, not {self.network!r}; give another folder")
        self.model.load_state_dict(content["state_dict"])
        self.average.state = {k: v.to(self.pace.device) for k, v in content["ema"].items()}
        self.optimizer.load_state_dict(content["optimizer"])
        for name in ("step", "elapsed", "best", "stale"):
            setattr(self, name, content[name])

    def _progress(self) -> float:
        """Share of the run that is done, 0..1."""
        by_time = self.elapsed / self.pace.seconds if self.pace.seconds else 0.0
        by_steps = self.step / self.pace.steps if self.pace.steps else 0.0
        return min(max(by_time, by_steps), 1.0)

    def _over(self) -> bool:
        tired = self.pace.patience is not None and self.stale >= self.pace.patience
        return tired or self._progress() >= 1

    def _rate(self) -> float:
        p = self.pace
        epoch = self.step // p.epoch
        if p.schedule == "step":
            return p.rate * 0.1 ** (epoch // 30)
        if p.schedule == "exponential":
            return p.rate * 0.99**epoch
        done = self._progress()
        if done < p.warmup:
            return p.rate * max(done / p.warmup, 0.02)
        along = (done - p.warmup) / (1 - p.warmup)
        return p.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))


def load(path: Path) -> tuple[str, nn.Module]:
    """Name and network of a ``best.pt``, with the weights that were judged best."""
    content = checkpoint.read(path)
    if "network" not in content or "ema" not in content:
        raise checkpoint.CheckpointError(f"load {path}: it names no network; give the best.pt of a run")
    model = networks.get(content["network"]).build()
    model.load_state_dict(content["ema"])
    return content["network"], model.eval()


def open_network(path: Path, threads: int = 2) -> tuple[str, Callable[[Tensor], Tensor]]:
    """Name and function (image N,C,H,W → logits) of a network with one input: a ``best.pt``, or an exported
    ``.onnx`` file in ONNX Runtime, for what is shipped is what should be judged."""
    if path.suffix != ".onnx":
        name, model = load(path)

        @torch.no_grad()
        def run(image: Tensor) -> Tensor:
            return forward(model, (image,), bfloat16=False)

        return name, run
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name
    return path.stem, lambda image: torch.from_numpy(session.run(None, {source: image.numpy()})[0])


def forward(model: nn.Module, inputs: tuple[Tensor, ...], device: str = "cpu", bfloat16: bool = True) -> Tensor:
    """Runs a network channels-last, in bfloat16 where asked; gives float32 logits on ``device``."""
    on = [x.to(device).contiguous(memory_format=torch.channels_last) for x in inputs]
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=bfloat16):
        return model(*on).float()


def _surroundings() -> dict[str, Any]:
    """What a run has to say of where it was made."""
    try:
        here = Path(__file__).parent
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {
        "commit": commit,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
