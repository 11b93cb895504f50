r"""Attack models that were trained by defensive distillation: naively, and by an attacker who knows of it.

From the project's root, with MNIST as `make data` fetches it:

    python -m examples.benchmarks.robustness --data data --plot robustness.png

FGSM and PGD are those of the Adversarial Robustness Toolbox, and follow the gradient of one of three losses. Two are of
the deployed model, the student at temperature 1, which is what a naive attacker takes:

outputs   cross-entropy of its probabilities, clipped to [1e-7, 1 − 1e-7] as Keras does, so that log has no infinity
logits    cross-entropy straight from its logits, as PyTorch computes it: the largest range that float32 allows

The third is that of an attacker who knows of the defence:

adaptive  margin max_k≠y z_k/T − z_y/T: no softmax, so nothing saturates

Success is measured on the deployed model, on test images that it classifies rightly before the attack.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray
from torch import Tensor, nn

from examples.benchmarks.data import DATASETS, Data, load
from examples.benchmarks.models import MODELS, make_model
from flwr_chainfl.config import require
from flwr_chainfl.distillation import AtTemperature, defensive_distillation, predict, seed_torch
from flwr_chainfl.errors import ConfigError

EPSILONS = (0.05, 0.1, 0.2, 0.3)
PGD_EPSILON, PGD_STEP, PGD_STEPS = 0.3, 0.01, 40
ATTACKERS = {
    "outputs": "naive: loss of the probabilities",
    "logits": "naive: loss of the logits",
    "adaptive": "adaptive: margin of logits / T",
}
ATTACKS = (*(f"FGSM {epsilon:g}" for epsilon in EPSILONS), "PGD-40")
_BATCH = 128
_CLASSES = 10
_CLIP = 1e-7


@dataclass(frozen=True)
class Robustness:
    """What was measured of one model; all but the temperature are shares of images, from 0 to 1.

    noise: images misclassified after PGD's random start alone, without a step
    masked: images where the gradient is zero in every pixel, by attacker; success: by attacker and attack
    """

    temperature: float
    accuracy: float
    noise: float
    masked: dict[str, float]
    success: dict[str, dict[str, float]]


class ClippedCrossEntropy(nn.Module):
    """Cross-entropy of probabilities that are clipped before the logarithm, summed over the batch."""

    reduction = "sum"

    def forward(self, logits: Tensor, one_hot: Tensor) -> Tensor:
        """Return the loss; logits and labels one-hot: float (batch, classes)."""
        own = (torch.softmax(logits, dim=1) * one_hot).sum(1)
        return -own.clamp(_CLIP, 1 - _CLIP).log().sum()


class Margin(nn.Module):
    """max_k≠y z_k − z_y, summed over the batch: positive where the classification is wrong (Carlini, Wagner, 2017)."""

    reduction = "sum"

    def forward(self, logits: Tensor, one_hot: Tensor) -> Tensor:
        """Return the loss; logits and labels one-hot: float (batch, classes)."""
        own = (logits * one_hot).sum(1)
        return (logits.masked_fill(one_hot > 0, -torch.inf).amax(1) - own).sum()


def evaluate(model: nn.Module, temperature: float, test: Data, *, attacked: int) -> Robustness:
    """Measure a model that was trained at a temperature.

    attacked: how many test images to attack, the first ones that the model classifies rightly

    Raises ConfigError when there are no such images.
    """
    right = predict(model, test.images).argmax(axis=1) == test.labels
    victims = test.rows(np.flatnonzero(right)[:attacked])
    require("attacked images", len(victims.labels), minimum=1)
    noise = np.random.uniform(-PGD_EPSILON, PGD_EPSILON, victims.images.shape).astype(np.float32)
    # Sums, not means: how many images share a batch must not decide which gradients are zero.
    attackers = {
        "outputs": _classifier(model, ClippedCrossEntropy(), test),
        "logits": _classifier(model, nn.CrossEntropyLoss(reduction="sum"), test),
        "adaptive": _classifier(AtTemperature(model, temperature), Margin(), test),
    }
    return Robustness(
        temperature,
        accuracy=float(right.mean()),
        noise=_misclassified(model, np.clip(victims.images + noise, 0, 1), victims),
        masked={name: _zero_gradients(attacker, victims) for name, attacker in attackers.items()},
        success={name: successes(model, attacker, victims) for name, attacker in attackers.items()},
    )


def successes(deployed: nn.Module, attacker: PyTorchClassifier, victims: Data) -> dict[str, float]:
    """Return by attack the share of images that the deployed model classifies wrongly after it.

    attacker: the model and the loss that the attacker differentiates
    """
    attacks = [FastGradientMethod(attacker, eps=epsilon, batch_size=_BATCH) for epsilon in EPSILONS]
    attacks.append(ProjectedGradientDescentPyTorch(
        attacker, eps=PGD_EPSILON, eps_step=PGD_STEP, max_iter=PGD_STEPS, num_random_init=1, batch_size=_BATCH,
        verbose=False,
    ))  # fmt: skip
    found: dict[str, float] = {}
    for name, attack in zip(ATTACKS, attacks, strict=True):
        found[name] = _misclassified(deployed, attack.generate(victims.images, victims.labels), victims)
    return found


def _misclassified(deployed: nn.Module, images: NDArray[np.float32], victims: Data) -> float:
    return float((predict(deployed, images).argmax(axis=1) != victims.labels).mean())


def _zero_gradients(attacker: PyTorchClassifier, victims: Data) -> float:
    one_hot = np.eye(_CLASSES, dtype=np.float32)[victims.labels]
    batches = range(0, len(one_hot), _BATCH)
    found = [attacker.loss_gradient(victims.images[i : i + _BATCH], one_hot[i : i + _BATCH]) for i in batches]
    return float((np.concatenate(found) == 0).all(axis=(1, 2, 3)).mean())


def _classifier(model: nn.Module, loss: nn.Module, data: Data) -> PyTorchClassifier:
    return PyTorchClassifier(
        model, loss, input_shape=data.images.shape[1:], nb_classes=_CLASSES, clip_values=(0.0, 1.0), device_type="cpu"
    )


def main() -> None:
    """Train a student at each temperature, attack it, print a Markdown table and draw the plot."""
    options = _parse()
    torch.set_num_threads(options.threads)
    started = time.process_time()
    try:
        train, test = load(options.dataset, options.data)
        if options.train is not None:
            require("train", options.train, minimum=1, maximum=len(train.labels))
            train = train.rows(np.random.default_rng(options.seed).permutation(len(train.labels))[: options.train])
        rows = []
        for temperature in options.temperatures:
            rows.append(_measure(train, test, temperature, options))
            print(_progress(rows[-1], time.process_time() - started), file=sys.stderr, flush=True)
    except (ConfigError, FileNotFoundError) as error:
        sys.exit(str(error))
    print(
        f"\n{options.dataset}, {len(train.labels):,} training and {len(test.labels):,} test images, "
        f"{options.attacked} attacked; {options.model}, {options.epochs} epochs of the teacher and of the student, Adam "
        f"{options.lr:g}, batches of {options.batch_size}, seed {options.seed}, float32; "
        f"{(time.process_time() - started) / 60:.1f} CPU minutes\n"
    )
    print(table(rows))
    plot(options.plot, rows)
    if options.out is not None:
        settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"settings": settings, "rows": [asdict(row) for row in rows]}, indent=1))


def table(rows: list[Robustness]) -> str:
    """Return one Markdown row a temperature; cells hold the attackers' figures, in the order of `ATTACKERS`, in percent."""
    heads = ["T", "clean accuracy", "zero gradient", *ATTACKS, "its noise alone"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row.masked, *({who: row.success[who][attack] for who in ATTACKERS} for attack in ATTACKS)]
        texts = [" / ".join(f"{100 * cell[who]:.1f}" for who in ATTACKERS) for cell in cells]
        lines.append(f"| {row.temperature:g} | {100 * row.accuracy:.1f} | " + " | ".join(texts) + f" | {100 * row.noise:.1f} |")
    return "\n".join(lines)


def plot(file: Path, rows: list[Robustness]) -> None:
    """Draw the success of each attack over T, one panel an attacker."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(ATTACKERS), figsize=(11, 4.4), sharey=True, layout="constrained")
    places = range(len(rows))
    shades = pyplot.get_cmap("viridis_r")(np.linspace(0.15, 0.8, len(EPSILONS)))
    for panel, (who, title) in zip(panels, ATTACKERS.items(), strict=True):
        for attack, color in zip(ATTACKS, [*shades, "tab:red"], strict=True):
            label = attack.replace("FGSM ", "FGSM, ε = ").replace("PGD-40", f"PGD-40, ε = {PGD_EPSILON:g}")
            panel.plot(places, [100 * row.success[who][attack] for row in rows], "o-", markersize=5, color=color, label=label)
        panel.plot(places, [100 * row.accuracy for row in rows], "--", color="0.4", linewidth=1, label="clean accuracy")
        panel.set_title(title, fontsize=11)
        panel.set_xticks(places, [f"{row.temperature:g}" for row in rows])
        panel.set_xlabel("temperature T of the distillation")
        panel.set_ylim(-3, 103)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("attacked images misclassified, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    pyplot.close(figure)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--dataset", choices=DATASETS, default="mnist")
    add("--data", type=Path, default=Path("data"), help="the folder with a folder of idx files for each data set")
    add("--train", type=int, default=10_000, help="draw so many training images (default: %(default)s)")
    add("--attacked", type=int, default=200, help="test images to attack (default: %(default)s)")
    add("--temperatures", type=float, nargs="+", default=[1, 5, 10, 20, 40, 100])
    add("--model", choices=MODELS, default="cnn-small")
    add("--epochs", type=int, default=12, help="of the teacher, and of the student (default: %(default)s)")
    add("--lr", type=float, default=3e-3, help="of Adam (default: %(default)s)")
    add("--batch-size", type=int, default=128)
    add("--seed", type=int, default=7)
    add("--threads", type=int, default=1, help="of torch (default: %(default)s)")
    add("--plot", type=Path, metavar="FILE.png", default=Path("runs/robustness.png"), help="default: %(default)s")
    add("--out", type=Path, metavar="FILE.json", help="write every figure and the settings")
    return parser.parse_args()


def _measure(train: Data, test: Data, temperature: float, options: argparse.Namespace) -> Robustness:
    """Train and attack one student; every temperature starts from the same weights and draws the same batches."""
    seed_torch(options.seed)
    np.random.seed(options.seed)  # the attack library draws PGD's random start from it
    model = make_model(options.model, side=test.images.shape[-1])
    defensive_distillation(
        model, train.images, train.labels, temperature=temperature, epochs=options.epochs,
        learning_rate=options.lr, batch_size=options.batch_size,
    )  # fmt: skip
    return evaluate(model, temperature, test, attacked=options.attacked)


def _progress(row: Robustness, seconds: float) -> str:
    figures = ", ".join(f"{who} {row.success[who]['PGD-40']:.3f}" for who in ATTACKERS)
    return f"T {row.temperature:g}: accuracy {row.accuracy:.4f}, PGD-40 {figures}, {seconds:.0f} CPU s so far"


if __name__ == "__main__":
    main()
