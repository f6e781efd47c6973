"""Training of the bitemporal networks on pairs of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import checkpoint, networks, physics
from .augment import Augmentation, Augmenter
from .data import PatchSet, Sampler
from .loop import Loop, Pace, forward
from .metrics import Histogram


SLOPE = 1
"""Channel of a batch's terrain."""


@dataclass(frozen=True)
class Recipe:
    """How a bitemporal network is trained: the defaults are those of the shipped one."""

    pace: Pace
    network: str = "bbunet"
    batch: int = 16
    weight_decay: float = 1e-4
    positive_weight: float = 3.0
    dice_weight: float = 0.5
    many: int = 50
    """Half of a batch has at least so many landslide pixels."""
    shares: tuple[float, ...] | None = None
    """How much of a batch comes from each patch set; None: by their sizes."""
    distillation: float = 0.5
    """Weight of a teacher's answer against the mask's, where there is a teacher."""
    slope_prior: float = 0.0
    """Weight of :func:`physics.slope_prior` in the loss; 0 learns from data alone."""
    augmentation: Augmentation = field(default_factory=Augmentation)


def train(
    recipe: Recipe,
    data: Sequence[PatchSet],
    validation: Sequence[PatchSet],
    folder: Path,
    start: nn.Module | None = None,
    teacher: nn.Module | None = None,
) -> float:
    """Trains a network, or goes on with the run in ``folder``, and returns the best IoU on ``validation``.

    ``start`` gives the weights to begin with, where there is no run to resume; ``teacher`` is a BBUnet
    whose probabilities the network learns along with the masks.
    """
    network = networks.get(recipe.network)
    if network.kind != "bitemporal":
        raise ValueError(f"train {recipe.network}: it is {network.kind}, this trains bitemporal networks")
    torch.manual_seed(recipe.pace.seed)
    model = network.build() if start is None else checkpoint.build(recipe.network, start.state_dict())

    def optimizer(parameters: Any, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=recipe.weight_decay, amsgrad=True)

    configuration = {
        "recipe": {k: v for k, v in asdict(recipe).items() if k != "pace"},
        "training_patches": {str(s.folder): len(s) for s in data},
        "started_from_a_network": start is not None,
        "taught": teacher is not None,
    }
    loop = Loop(recipe.network, model, folder, recipe.pace, optimizer, configuration)
    if teacher is not None:
        teacher = teacher.eval().to(recipe.pace.device, memory_format=torch.channels_last)
    # The seed of what is drawn moves on with the step, so a resumed run doesn't see the same batches again.
    seed = recipe.pace.seed + loop.step
    sampler = Sampler(data, seed, many=recipe.many, shares=recipe.shares)
    augment = Augmenter(recipe.augmentation, seed)
    print(f"{recipe.network}: {len(sampler)} training patches, step {loop.step}", flush=True)

    def batch_loss() -> Tensor:
        batch, on = augment(sampler.draw(recipe.batch)), recipe.pace.device
        inputs, mask = batch.inputs(), batch.mask.to(on)
        logits = loop.logits(*inputs[: len(network.inputs)])
        if teacher is not None:
            with torch.no_grad():
                answer = torch.sigmoid(one_logit(forward(teacher, inputs, on, recipe.pace.bfloat16)))
            mask = (1 - recipe.distillation) * mask + recipe.distillation * answer
        value = loss(logits, mask, batch.valid.to(on), recipe.positive_weight, recipe.dice_weight)
        if recipe.slope_prior:
            known = (batch.terrain != 0).flatten(1).any(1)[:, None, None, None]  # the terrain of some is left out
            slope = batch.terrain[:, SLOPE : SLOPE + 1].to(on)
            value = value + recipe.slope_prior * physics.slope_prior(one_logit(logits), slope, (batch.valid & known).to(on), mask)
        return value

    def check(model: nn.Module) -> dict[str, float]:
        histogram = Histogram()
        for patches in validation:
            for batch in patches.batches(recipe.batch):
                inputs = batch.inputs()[: len(network.inputs)]
                logits = forward(model, inputs, recipe.pace.device, recipe.pace.bfloat16)
                score = torch.sigmoid(one_logit(logits)).cpu().numpy()
                histogram.add(score, batch.mask.numpy() > 0, batch.valid.numpy())
        best = histogram.best()
        return {"score": best.iou, "average_precision": histogram.average_precision()} | best.as_dict()

    return loop.run(batch_loss, check)


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
