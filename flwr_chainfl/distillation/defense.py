"""Defensive distillation: a student learns its teacher's soft targets at a high temperature, and is used at 1.

What it does not do. It does not make a model robust: the student's logits are about T times as large as an ordinary
model's, so that the gradient of its loss vanishes in floating point, and attacks that follow this gradient fail. One
that divides the logits by T, or follows the logits themselves, succeeds as before (Carlini, Wagner, S&P 2017);
docs/benchmarks.md shows both. Nor is it differential privacy: that a softened softmax changes slowly bounds the
model's sensitivity to its input, not what its weights tell about a training sample.

Source: docs/protocols/distillation-defence.md; Papernot, McDaniel, Wu, Jha, Swami, S&P 2016.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flwr_chainfl.distillation.distill import class_count, distill, predict, softened_loss
from flwr_chainfl.errors import ConfigError, ModelError


class AtTemperature(nn.Module):
    """A model whose logits are divided by a temperature; the parameters are the model's own, not copies.

    Around a model in any training loop it makes that loop train a teacher, without a change in the loop.

    temperature: above 0

    Raises ConfigError when the temperature is out of range.
    """

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        _check_temperature(temperature)
        self.model, self.temperature = model, temperature

    def forward(self, inputs: Tensor) -> Tensor:
        """Return z / T, float (batch, classes)."""
        logits: Tensor = self.model(inputs)
        return logits / self.temperature


def proximal_distillation_loss(
    logits: Tensor, labels: Tensor, global_logits: Tensor, *, weight: float = 0.5, temperature: float = 5.0
) -> Tensor:
    """Return CE(softmax(z), y) + λ·T²·KL(softmax(z_G/T) ‖ softmax(z/T)), averaged over the batch.

    The second term keeps a participant that sees few classes near the global model, in what the two say rather than
    in their weights. It defends against nothing by itself.

    logits: z, float (batch, classes); labels: y, int64 (batch,); weight: λ, 0 or more; temperature: T, above 0
    global_logits: z_G, float (batch, classes), of the model that the round began with; no gradient flows into it

    Raises ConfigError when weight or temperature is out of range, ModelError when z_G and z differ in shape.
    Source: docs/protocols/distillation-defence.md, "Local loss"; Electronics 13(4):679, 2024.

    Examples
    --------
    >>> z, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> round(float(proximal_distillation_loss(z, torch.tensor([0]), z)), 4)
    0.3133
    >>> round(float(proximal_distillation_loss(z, torch.tensor([0]), other)), 4)
    0.5624
    """
    _check_temperature(temperature)
    if not 0 <= weight < math.inf:
        raise ConfigError(f"weight is {weight}; it must be 0 or more")
    if logits.shape != global_logits.shape:
        raise ModelError(
            f"logits of shape {tuple(logits.shape)}, the global model's are of shape {tuple(global_logits.shape)}; ask both "
            f"models for the same batch and classes"
        )
    # From logits, not through distillation_loss: it takes probabilities, which cannot tell large logits apart.
    softened = torch.softmax(global_logits.detach() / temperature, dim=1)
    proximal = softened_loss(logits, softened, temperature=temperature)
    return nn.functional.cross_entropy(logits, labels) + weight * proximal


def train_teacher(
    model: nn.Module,
    inputs: NDArray[Any],
    labels: NDArray[np.integer],
    *,
    temperature: float,
    epochs: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
) -> float:
    """Train a model in place by CE(softmax(z/T), y), with Adam, and return the mean loss of the last epoch.

    inputs: (samples, …) in the form that the model takes; labels: integers (samples,), from 0 to classes − 1

    Raises ConfigError when a setting is out of range, ModelError when labels do not fit inputs or classes,
    PublicSetError when the model cannot take the inputs.
    Source: docs/protocols/distillation-defence.md, "Teacher".
    """
    teacher = AtTemperature(model, temperature)
    _check_training(epochs, learning_rate, batch_size)
    if len(inputs) == 0 or labels.shape != (len(inputs),) or labels.dtype.kind not in "iu":
        raise ModelError(
            f"{len(inputs)} inputs with {labels.dtype} labels of shape {labels.shape}; at least one input, and an integer "
            f"label for each, are needed"
        )
    classes = class_count(model, inputs)
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ModelError(
            f"labels range from {int(labels.min())} to {int(labels.max())}; the model's are from 0 to {classes - 1}"
        )
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return distill(
        teacher, inputs, one_hot, epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, temperature=1.0
    )


def soft_targets(teacher: nn.Module, inputs: NDArray[Any], *, temperature: float) -> NDArray[np.float32]:
    """Return P = softmax(z/T) of a teacher: float32 (inputs, classes).

    inputs: (inputs, …) in the form that the teacher takes

    Raises ConfigError when the temperature is out of range, ModelError when the teacher's output is no row of logits.
    Source: docs/protocols/distillation-defence.md, "Soft targets".
    """
    return predict(AtTemperature(teacher, temperature), inputs)


def train_student(
    student: nn.Module,
    teacher: nn.Module,
    inputs: NDArray[Any],
    *,
    temperature: float,
    epochs: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
) -> float:
    """Train a student in place by CE(softmax(z/T), P), with Adam, and return the last epoch's mean KL(P ‖ softmax(z/T)).

    CE and KL differ by the entropy of P, which no step changes. Use the student as it is: at temperature 1.

    inputs: (samples, …) in the form that both models take; their labels are not needed

    Raises ConfigError when a setting is out of range, ModelError when student and teacher differ in architecture.
    Source: docs/protocols/distillation-defence.md, "Student".
    Choice: the same architecture, which averaging needs; the 2024 paper's "fewer parameters" contradicts it. Models
    of different architectures exchange soft labels instead (`FedSoftLabel`).
    """
    _check_training(epochs, learning_rate, batch_size)
    _check_same_architecture(student, teacher)
    targets = soft_targets(teacher, inputs, temperature=temperature)
    return distill(
        AtTemperature(student, temperature), inputs, targets,
        epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, temperature=1.0,
    )  # fmt: skip


def defensive_distillation(
    model: nn.Module,
    inputs: NDArray[Any],
    labels: NDArray[np.integer],
    *,
    temperature: float = 20.0,
    epochs: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
) -> float:
    """Train a model in place by defensive distillation, and return the student's mean loss of the last epoch.

    It takes the place of a client's training, and twice its time. Use the model as it is: at temperature 1. Attacks on
    the gradient of its loss fail where the training was long enough for the logits to grow with T; attacks that heed
    T do not, and the model gives no differential privacy (this module's docstring).

    inputs: (samples, …) in the form that the model takes; labels: integers (samples,), from 0 to classes − 1
    epochs: of the teacher, and again of the student

    Raises what `train_teacher` and `train_student` raise.
    Source: docs/protocols/distillation-defence.md; Papernot, McDaniel, Wu, Jha, Swami, S&P 2016.
    Choice: teacher and student both start from the model as it is, in federated learning the global one, since
    averages of models that started apart are of no use.

    Examples
    --------
    In a Flower train function, with the images and labels of the client as numpy arrays::

        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        loss = defensive_distillation(model, images, labels, temperature=20, epochs=2)
    """
    teacher = deepcopy(model)
    settings: dict[str, Any] = {
        "temperature": temperature, "epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size,
    }  # fmt: skip
    train_teacher(teacher, inputs, labels, **settings)
    return train_student(model, teacher, inputs, **settings)


def mix_arrays(
    global_arrays: Mapping[str, NDArray[Any]],
    local_arrays: Sequence[Mapping[str, NDArray[Any]]],
    weights: Sequence[float] | NDArray[Any],
    *,
    alpha: float = 1.0,
) -> OrderedDict[str, NDArray[Any]]:
    """Return (1 − α)·G + α·Σ w_d·L_d, array by array; G itself where there is no L_d.

    global_arrays: G by name; local_arrays: one L_d a participant, of G's names, shapes and dtypes
    weights: one a participant, not negative, divided by their sum: sample counts, or ones for a uniform mean
    alpha: α, from 0 to 1; 1 forgets G, as FedAvg does

    Sums are in float64, in the order given; integer arrays are rounded. Other orders may differ in the last bit, so
    where machines must agree on every bit this is not the function to take.

    Raises ConfigError when α or the weights are out of range, ModelError when arrays are another architecture's or
    not finite.
    Source: docs/protocols/distillation-defence.md, "Mixing"; Electronics 13(4):679, 2024.

    Examples
    --------
    >>> state = mix_arrays({"w": np.array([0.0, 4.0])}, [{"w": np.ones(2)}, {"w": np.full(2, 3.0)}], [3, 1], alpha=0.5)
    >>> state["w"].tolist()
    [0.75, 2.75]
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha is {alpha}; it must be from 0 to 1")
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(local_arrays),):
        raise ConfigError(f"{len(local_arrays)} models and weights of shape {shares.shape}; pass one weight a model")
    for index, arrays in enumerate(local_arrays):
        _check_arrays(index, arrays, global_arrays)
    if not local_arrays:
        return OrderedDict((name, value.copy()) for name, value in global_arrays.items())
    if not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() == 0:
        raise ConfigError(f"weights are {shares.tolist()}; they must be finite and 0 or more, and one of them above 0")
    shares /= shares.sum()
    mixed: OrderedDict[str, NDArray[Any]] = OrderedDict()
    for name, value in global_arrays.items():
        mean = sum(share * arrays[name].astype(np.float64) for share, arrays in zip(shares, local_arrays, strict=True))
        total = np.asarray((1 - alpha) * value.astype(np.float64) + alpha * mean)
        mixed[name] = (np.rint(total) if value.dtype.kind in "iu" else total).astype(value.dtype)
    return mixed


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < math.inf:
        raise ConfigError(f"temperature is {temperature}; it must be above 0, 20 is usual")


def _check_training(epochs: int, learning_rate: float, batch_size: int) -> None:
    if epochs < 0 or batch_size < 1 or not 0 < learning_rate < math.inf:
        raise ConfigError(
            f"{epochs} epochs, learning rate {learning_rate}, batches of {batch_size}; 0 epochs or more, a learning rate "
            f"above 0 and batches of 1 or more are needed"
        )


def _check_same_architecture(student: nn.Module, teacher: nn.Module) -> None:
    of_student, of_teacher = (
        {name: tuple(value.shape) for name, value in model.state_dict().items()} for model in (student, teacher)
    )
    if of_student == of_teacher:
        return
    name = next(n for n in [*of_teacher, *of_student] if of_student.get(n) != of_teacher.get(n))
    raise ModelError(
        f"the student {type(student).__name__} has {name!r} of shape {of_student.get(name)}, the teacher "
        f"{type(teacher).__name__} of shape {of_teacher.get(name)}; use the same architecture for both"
    )


def _check_arrays(index: int, arrays: Mapping[str, NDArray[Any]], reference: Mapping[str, NDArray[Any]]) -> None:
    if arrays.keys() != reference.keys():
        raise ModelError(
            f"model {index} has the arrays {sorted(arrays)}, the global model {sorted(reference)}; use the same architecture"
        )
    for name, value in arrays.items():
        expected = reference[name]
        if value.shape != expected.shape or value.dtype != expected.dtype:
            raise ModelError(
                f"array {name!r} of model {index} is {value.dtype} of shape {value.shape}, the global model's is "
                f"{expected.dtype} of shape {expected.shape}; use the same architecture"
            )
        if not np.isfinite(value).all():
            raise ModelError(f"array {name!r} of model {index} is not finite; leave the model out")
