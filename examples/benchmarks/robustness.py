r"""Attack models that were trained by defensive distillation: naively, and by an attacker who knows of it.

From the project's root, with MNIST as `make data` fetches it:

    python -m examples.benchmarks.robustness --data data --plot robustness.png

FGSM and PGD are those of the Adversarial Robustness Toolbox, and follow the gradient of one of two losses:

naive     cross-entropy of the deployed model, the student at temperature 1
adaptive  margin max_k≠y z_k/T − z_y/T, which no softmax saturates; a zero gradient of it means that there is none

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
from torch import Tensor, nn

from examples.benchmarks.data import DATASETS, Data, load
from examples.benchmarks.models import MODELS, make_model
from flwr_chainfl.config import require
from flwr_chainfl.distillation import AtTemperature, defensive_distillation, predict, seed_torch
from flwr_chainfl.errors import ConfigError

EPSILONS = (0.05, 0.1, 0.2, 0.3)
PGD_EPSILON, PGD_STEP, PGD_STEPS = 0.3, 0.01, 40
ATTACKS = (*(f"FGSM {epsilon:g}" for epsilon in EPSILONS), "PGD-40")
_BATCH = 128
_CLASSES = 10


@dataclass(frozen=True)
class Robustness:
    """What was measured of one model; all but the temperature are shares of images, from 0 to 1.

    masked: images where the naive gradient is zero in every pixel; naive, adaptive: success by attack
    """

    temperature: float
    accuracy: float
    masked: float
    naive: dict[str, float]
    adaptive: dict[str, float]


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
    # The sum, not the mean: how many images share a batch must not decide which gradients are zero.
    naive = _classifier(model, nn.CrossEntropyLoss(reduction="sum"), test)
    adaptive = _classifier(AtTemperature(model, temperature), Margin(), test)
    one_hot = np.eye(_CLASSES, dtype=np.float32)[victims.labels]
    gradients = np.concatenate([
        naive.loss_gradient(victims.images[i : i + _BATCH], one_hot[i : i + _BATCH])
        for i in range(0, len(victims.labels), _BATCH)
    ])
    return Robustness(
        temperature,
        accuracy=float(right.mean()),
        masked=float((gradients == 0).all(axis=(1, 2, 3)).mean()),
        naive=successes(model, naive, victims),
        adaptive=successes(model, adaptive, victims),
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
        images = attack.generate(victims.images, victims.labels)
        found[name] = float((predict(deployed, images).argmax(axis=1) != victims.labels).mean())
    return found


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
    """Return one Markdown row a temperature, each attack as naive / adaptive success in percent."""
    lines = [
        "| T | clean accuracy | zero gradient | " + " | ".join(ATTACKS) + " |",
        "|---" * (3 + len(ATTACKS)) + "|",
    ]
    for row in rows:
        cells = [f"{100 * row.naive[name]:.1f} / {100 * row.adaptive[name]:.1f}" for name in ATTACKS]
        lines.append(
            f"| {row.temperature:g} | {100 * row.accuracy:.1f} | {100 * row.masked:.1f} | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines)


def plot(file: Path, rows: list[Robustness]) -> None:
    """Draw the success of each attack over T: naive in one panel, adaptive in the other."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    places = range(len(rows))
    shades = pyplot.get_cmap("viridis_r")(np.linspace(0.15, 0.75, len(EPSILONS)))
    titles = {"naive": "naive: loss of the deployed model", "adaptive": "adaptive: logits / T, margin loss"}
    for panel, (kind, title) in zip(panels, titles.items(), strict=True):
        for name, color in zip(ATTACKS, [*shades, "tab:red"], strict=True):
            label = name.replace("FGSM ", "FGSM, ε = ").replace("PGD-40", f"PGD-40, ε = {PGD_EPSILON:g}")
            panel.plot(
                places, [100 * getattr(row, kind)[name] for row in rows], marker="o", markersize=5, color=color, label=label
            )
        panel.plot(
            places, [100 * row.accuracy for row in rows], color="0.4", linestyle="--", linewidth=1, label="clean accuracy"
        )
        panel.set_title(title, fontsize=11)
        panel.set_xticks(places, [f"{row.temperature:g}" for row in rows])
        panel.set_xlabel("temperature T of the distillation")
        panel.set_ylim(-3, 103)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("attacked images misclassified, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    pyplot.close(figure)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--dataset", choices=DATASETS, default="mnist")
    add("--data", type=Path, default=Path("data"), help="the folder with a folder of idx files for each data set")
    add("--train", type=int, default=20_000, help="draw so many training images (default: %(default)s)")
    add("--attacked", type=int, default=200, help="test images to attack (default: %(default)s)")
    add("--temperatures", type=float, nargs="+", default=[1, 5, 10, 20, 40, 100])
    add("--model", choices=MODELS, default="mlp")
    add("--epochs", type=int, default=10, help="of the teacher, and of the student (default: %(default)s)")
    add("--lr", type=float, default=1e-3, help="of Adam (default: %(default)s)")
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
    return (
        f"T {row.temperature:g}: accuracy {row.accuracy:.4f}, PGD-40 naive {row.naive['PGD-40']:.3f}, adaptive "
        f"{row.adaptive['PGD-40']:.3f}, {seconds:.0f} CPU s so far"
    )


if __name__ == "__main__":
    main()
