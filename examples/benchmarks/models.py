"""The models that are compared: three convolutional networks of one family, and a wide perceptron."""

from __future__ import annotations

import torch
from torch import nn

from flwr_chainfl.errors import ConfigError


class ConvNet(nn.Module):
    """Two convolutions with pooling, and one hidden layer: the quickstart's network, of any width.

    Pooling comes before the activation, which gives the same numbers and takes half the time on a CPU.

    side: of the square grey images, in pixels; channels: of the convolutions; hidden: units before the classes
    """

    def __init__(self, side: int, classes: int, *, channels: tuple[int, int], hidden: int) -> None:
        super().__init__()
        first, second = channels
        self.features = nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(second * (side // 4) ** 2, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, classes)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, float (batch, classes), of images, float (batch, 1, side, side)."""
        return self.head(self.features(x))


class Perceptron(nn.Module):
    """pixels-1024-1024-classes, the model of published FedMD comparisons on Fashion-MNIST."""

    def __init__(self, side: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(side * side, 1024), nn.ReLU(),
            nn.Linear(1024, 1024), nn.ReLU(),
            nn.Linear(1024, classes),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, float (batch, classes), of images, float (batch, 1, side, side)."""
        return self.layers(x)


class MixedPrecision(nn.Module):
    """A model that computes in bfloat16 where torch's autocast does, with its weights and logits in float32.

    Its state has the names of the model inside, so that it can take the model's place.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, child in model.named_children():
            self.add_module(name, child)
        self._forward = type(model).forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the model's logits, float32 (batch, classes)."""
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            logits = self._forward(self, x)
        return logits.float()


MODELS = ("cnn-small", "cnn", "cnn-large", "mlp")
_WIDTHS = {
    "cnn-small": ((16, 32), 32),
    "cnn": ((32, 64), 62),
    "cnn-large": ((64, 128), 128),
}


PRECISIONS = ("float32", "bfloat16")


def make_model(name: str, *, side: int, classes: int = 10, precision: str = "float32") -> nn.Module:
    """Return a new model by its name.

    precision: ``bfloat16`` computes convolutions and products in it; twice as fast where the CPU or GPU has it

    Parameters at 28×28 pixels and 10 classes, and so at 4 bytes each what FedAvg sends:

    >>> {name: count_parameters(make_model(name, side=28)) for name in MODELS}
    {'cnn-small': 55338, 'cnn': 213940, 'cnn-large': 878730, 'mlp': 1863690}

    Raises ConfigError when there is no such model or precision.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if name not in MODELS:
        raise ConfigError(f"model is {name!r}; choose one of {', '.join(MODELS)}")
    if name == "mlp":
        model: nn.Module = Perceptron(side, classes)
    else:
        channels, hidden = _WIDTHS[name]
        model = ConvNet(side, classes, channels=channels, hidden=hidden)
    return MixedPrecision(model) if precision == "bfloat16" else model


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())
