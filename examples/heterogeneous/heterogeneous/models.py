"""Three models for 8×8 digits that share nothing but their inputs and their classes."""

from torch import nn

NAMES = ("MLP", "small CNN", "larger CNN")


def mlp() -> nn.Module:
    """Return a multi-layer perceptron, 2,410 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def small_cnn() -> nn.Module:
    """Return a convolutional network of one stage, 5,510 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 20), nn.Linear(20, 10)
    )


def larger_cnn() -> nn.Module:
    """Return a convolutional network of two stages, 53,002 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10),
    )  # fmt: skip


def model_of(partition: int) -> nn.Module:
    """Return a new model of a client's architecture."""
    return (mlp, small_cnn, larger_cnn)[partition % 3]()
