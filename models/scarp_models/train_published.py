"""The recipe of the BBUnet paper on its data set, figure by figure.

AdamW with AMSGrad, 1e-3, weight decay 1e-4, × 0.99 after every epoch; 100 epochs of 6,400 couples in batches of 64: 2,720
with fewer than 200 landslide pixels, 2,720 with more, 960 artificial; cross-entropy with positive weight 5, clouds ignored.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import checkpoint, networks
from .augment import ASPECT, dihedral, dihedral_aspect
from .data import Batch
from .loop import Loop, Pace, forward, load
from .metrics import Counts, codes
from .published import Couple, Couples, couples
from .train import loss, one_logit

TRAIN, TEST = ("palu", "mesetas", "luding", "iburi"), ("haiti",)
POSITIVE_WEIGHT = 5.0


@dataclass(frozen=True)
class Recipe:
    """The paper's figures; only tests and machines with little memory change them."""

    epochs: int = 100
    few: int = 2720  # couples an epoch with fewer than 200 landslide pixels
    many: int = 2720  # with more
    artificial: int = 960  # without, made of the others
    batch: int = 64
    artificial_share: float = 0.05  # of each of the three kinds, of all couples
    cloud_cover: float = 0.2  # couples with more are left out
    threshold_pixels: int = 200
    match: float = 0.4  # chance of histogram matching, blended by 0.3 to 0.7
    brightness: float = 0.7  # chance of a gain of 0.2 to 2.6 and an offset of 0 to 1000
    shift: float = 0.2  # chance of a shift by up to a pixel and a turn by up to 1°
    seed: int = 42


class Epochs:
    """Chooses an epoch's couples: artificial ones are made anew each time."""

    def __init__(self, listed: Sequence[Couple], recipe: Recipe) -> None:
        self.recipe = recipe
        self.listed = [c for c in listed if c.cloud_cover < recipe.cloud_cover]
        if not self.listed:
            raise ValueError("train-published: no couple has little enough cloud")
        self.by_window: dict[Any, list[Couple]] = {}
        for c in self.listed:
            self.by_window.setdefault((c.event, c.window), []).append(c)

    def draw(self, rng: np.random.Generator) -> list[Couple]:
        """One epoch, shuffled."""
        r = self.recipe
        made = self.artificial(rng)
        pools = (
            ([c for c in self.listed if c.landslide_pixels < r.threshold_pixels] + made, r.few),
            ([c for c in self.listed if c.landslide_pixels > r.threshold_pixels], r.many),
            (made, r.artificial),
        )
        chosen = []
        for pool, number in pools:
            if pool:
                # The paper has more than enough of each kind; with less data, couples repeat.
                rows = rng.choice(len(pool), number, replace=len(pool) < number)
                chosen += [pool[i] for i in rows]
        return [chosen[i] for i in rng.permutation(len(chosen))]

    def artificial(self, rng: np.random.Generator) -> list[Couple]:
        """Post–pre, and two different dates of the same side, with nothing new between them."""
        number = max(1, int(self.recipe.artificial_share * len(self.listed)))
        out = [self.listed[i].swapped() for i in rng.choice(len(self.listed), number, replace=False)]
        for side in ("pre", "post"):
            several = [w for w in self.by_window.values() if len({getattr(c, side) for c in w}) > 1]
            for _ in range(number if several else 0):
                window = several[int(rng.integers(len(several)))]
                dates = sorted({getattr(c, side) for c in window})
                a, b = (dates[i] for i in rng.choice(len(dates), 2, replace=False))
                out.append(replace(window[0], pre=a, post=b, landslide_pixels=0))
        return out


def halves(listed: Sequence[Couple], recipe: Recipe) -> tuple[list[Couple], list[Couple]]:
    """Validation and test of the paper: couples with more than 200 pixels and little cloud, divided at random. Their windows
    overlap and repeat over dates, so the two halves are not independent: the paper's figures share that."""
    kept = [c for c in listed if c.cloud_cover < recipe.cloud_cover and c.landslide_pixels > recipe.threshold_pixels]
    order = np.random.RandomState(recipe.seed).permutation(len(kept))
    middle = math.ceil(len(kept) / 2)
    return [kept[i] for i in order[middle:]], [kept[i] for i in order[:middle]]


class Augment:
    """The paper's changes. ``reference`` is where other images for histogram matching come from."""

    def __init__(self, recipe: Recipe, reference: Couples, seed: int) -> None:
        self.recipe, self.reference, self.rng = recipe, reference, np.random.default_rng(seed)

    def __call__(self, batch: Batch) -> Batch:
        pre, post = batch.pre.clone(), batch.post.clone()
        terrain, mask, valid = batch.terrain.clone(), batch.mask.clone(), batch.valid.clone()
        for i in range(len(batch)):
            turns, flip = int(self.rng.integers(4)), self.rng.random() < 0.5
            for x in (pre, post, terrain, mask, valid):
                x[i] = dihedral(x[i], turns, flip)
            terrain[i, ASPECT] = dihedral_aspect(terrain[i, ASPECT], turns, flip)
            pre[i], post[i] = self._image(pre[i]), self._image(post[i])
        return Batch(pre, post, terrain, mask, valid)

    def _image(self, image: Tensor) -> Tensor:
        r, rng = self.recipe, self.rng
        if rng.random() < r.match:
            other = self.reference.batch(rng.integers(0, len(self.reference), 1))
            source = other.pre if rng.random() < 0.5 else other.post
            blend = rng.uniform(0.3, 0.7)
            image = (1 - blend) * image + blend * match_histograms(image, source[0])
        if rng.random() < r.brightness:
            image = image * rng.uniform(0.2, 2.6) + rng.uniform(0, 1000)
        if rng.random() < r.shift:
            image = affine(image, rng.uniform(0, 1, 2), rng.uniform(-1, 1))
        return image


def match_histograms(image: Tensor, reference: Tensor) -> Tensor:
    """Gives each band of C,H,W the distribution of values that the reference's has, to whole units."""
    out = torch.empty_like(image)
    for c in range(image.shape[0]):
        values, wanted = (x[c].round().clamp(0, 65535).long().numpy() for x in (image, reference))
        ranks = np.cumsum(np.bincount(values.ravel())) / values.size
        goal = np.cumsum(np.bincount(wanted.ravel())) / wanted.size
        occurring = np.unique(wanted)
        out[c] = torch.from_numpy(np.interp(ranks, goal[occurring], occurring)[values]).float()
    return out


def affine(image: Tensor, shift: np.ndarray, degrees: float) -> Tensor:
    """Shifts C,H,W by pixels (down, right) and turns it about its middle, bilinearly, mirrored at the border."""
    height, width = image.shape[-2:]
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    theta = image.new_tensor(
        [[[cosine, -sine * height / width, -2 * shift[1] / width], [sine * width / height, cosine, -2 * shift[0] / height]]]
    )
    grid = nn.functional.affine_grid(theta, [1, *image.shape], align_corners=False)
    return nn.functional.grid_sample(image[None], grid, padding_mode="reflection", align_corners=False)[0]


def load_moco(model: nn.Module, path: Path) -> int:
    """Puts SSL4EO-S12 MoCo weights of a ResNet-18 (13 bands) into ``model.encoder``, without B10, which L2A lacks. Returns
    the number of tensors taken."""
    content = checkpoint.read(path)
    state = content.get("state_dict", content)
    prefix = "module.encoder_q."
    taken = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix) and ".fc." not in k}
    if "conv1.weight" not in taken:
        raise checkpoint.CheckpointError(f"load {path}: no {prefix}conv1.weight; expected a full MoCo checkpoint of SSL4EO-S12")
    first = taken["conv1.weight"]
    if first.shape[1] == 13:
        taken["conv1.weight"] = first[:, [b for b in range(13) if b != 10]]
    own = model.encoder.state_dict()
    if missing := [k for k in own if k not in taken and not k.endswith("num_batches_tracked")]:
        raise checkpoint.CheckpointError(f"load {path}: it lacks {', '.join(missing[:3])} …")
    model.encoder.load_state_dict(own | taken)
    return len(taken)


def train(
    listed: Sequence[Couple],
    validation: Couples,
    folder: Path,
    recipe: Recipe,
    pace: Pace,
    network: str,
    encoder: Path | None = None,
) -> Path:
    """Trains, or goes on with a run; returns the best checkpoint, by the loss on validation data as in the paper."""
    torch.manual_seed(pace.seed)
    model = networks.get(network).build()
    if encoder:
        load_moco(model, encoder)

    def optimizer(parameters: Any, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=1e-4, amsgrad=True)

    epochs = Epochs(listed, recipe)
    configuration = {"recipe": asdict(recipe), "couples": len(epochs.listed), "validation": len(validation), "encoder": encoder}
    loop = Loop(network, model, folder, pace, optimizer, configuration)
    rng = loop.generator()
    augment = Augment(recipe, Couples(folder, epochs.listed), pace.seed + loop.step)
    inputs, queue = tuple(networks.get(network).inputs), []

    def batch_loss() -> Tensor:
        if len(queue) < recipe.batch:
            queue[:] = epochs.draw(rng)
        taken = [queue.pop() for _ in range(min(recipe.batch, len(queue)))]
        batch = augment(Couples(folder, taken).batch(np.arange(len(taken))))
        logits = loop.logits(*_inputs(batch, inputs))
        return loss(logits, batch.mask.to(pace.device), batch.valid.to(pace.device), POSITIVE_WEIGHT, 0.0)

    def check(model: nn.Module) -> dict[str, float]:
        return {k: v for k, v in judge(model, validation, inputs, pace).items() if k != "patches"}

    loop.run(batch_loss, check)
    return folder / "best.pt"


def judge(model: nn.Module, couples: Couples, inputs: Sequence[str], pace: Pace, size: int = 8) -> dict[str, float]:
    """Loss and scores at 0.5 over all couples together; ``score`` is the loss, negated."""
    model.eval()
    losses, parts = [], []
    for batch in couples.batches(size):
        with torch.no_grad():
            logits = one_logit(forward(model, _inputs(batch, inputs), pace.device, pace.bfloat16)).cpu()
        losses.append(float(loss(logits, batch.mask, batch.valid, POSITIVE_WEIGHT, 0.0)) * len(batch))
        steps = codes(torch.sigmoid(logits)[:, 0].numpy())
        parts.append(Counts.of(steps, batch.mask[:, 0].numpy() > 0, batch.valid[:, 0].numpy()))
    mean = sum(losses) / len(couples)
    return {"score": -mean, "loss_validation": mean, "patches": len(couples)} | Counts.join(parts).total().at(0.5).as_dict()


def _inputs(batch: Batch, names: Sequence[str]) -> tuple[Tensor, ...]:
    return tuple(t for name, t in zip(("pre", "post", "dem"), batch.inputs(), strict=True) if name in names)


def register(commands: Any) -> None:
    """Adds ``train-published``."""
    parser = commands.add_parser("train-published", help="reproduce the BBUnet paper on its data set")
    parser.add_argument("--root", type=Path, required=True, help="folder below which the events lie")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an unfinished one is resumed")
    parser.add_argument("--network", default="bbunet")
    parser.add_argument("--train", nargs="+", default=list(TRAIN), help="events to train on")
    parser.add_argument("--test", nargs="+", default=list(TEST), help="events to validate and test on, half and half")
    parser.add_argument("--encoder", type=Path, help="SSL4EO-S12 MoCo checkpoint of the ResNet-18 (13 bands) to start from")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--pairs", type=int, help="couples in an epoch, in the paper's proportions; without it its 6,400")
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bfloat16", action="store_true", help="faster, and not what the paper did")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=42)
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    recipe = Recipe(epochs=options.epochs, batch=options.batch, seed=options.seed)
    if options.pairs:
        share = options.pairs / (recipe.few + recipe.many + recipe.artificial)
        few, many, artificial = (max(1, round(n * share)) for n in (recipe.few, recipe.many, recipe.artificial))
        recipe = replace(recipe, few=few, many=many, artificial=artificial)
    listed = [c for event in options.train for c in couples(options.root, event)]
    validation, test = halves([c for event in options.test for c in couples(options.root, event)], recipe)
    if not validation or not test:
        raise ValueError(f"train-published: {', '.join(options.test)} has too few couples with more than 200 pixels and little cloud")
    epoch = max(1, (recipe.few + recipe.many + recipe.artificial) // recipe.batch)
    pace = Pace(
        steps=epoch * recipe.epochs, schedule="exponential", epoch=epoch, ema=0, check_seconds=None,
        check_steps=epoch, clip=None, bfloat16=options.bfloat16, device=options.device, seed=options.seed,
    )  # fmt: skip
    print(f"{len(listed)} couples to train on, {len(validation)} to validate, {len(test)} to test; {epoch} steps an epoch", flush=True)
    best = train(listed, Couples(options.root, validation), options.out, recipe, pace, options.network, options.encoder)
    model = load(best)[1].to(options.device)
    scores = judge(model, Couples(options.root, test), tuple(networks.get(options.network).inputs), pace)
    (options.out / "test.json").write_text(json.dumps(scores, indent=1) + "\n")
    print(f"test: IoU {scores['iou']:.4f}, F1 {scores['f1']:.4f}, precision {scores['precision']:.4f}, recall {scores['recall']:.4f}")
