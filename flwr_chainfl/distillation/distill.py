"""Teach a model soft labels, and ask a model for them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flwr_chainfl.errors import ModelError, PublicSetError

_PREDICT_BATCH = 128
_SMALLEST = 1e-7
_FUSED = ("cpu", "cuda")  # where torch 2.4 has Adam in one kernel


def distillation_loss(logits: Tensor, soft_labels: Tensor, *, temperature: float) -> Tensor:
    """Return T²·KL(soften(soft_labels, T) ‖ softmax(logits / T)), averaged over the batch.

    logits: float (batch, classes); soft_labels: float (batch, classes), rows summing to 1;
    soften(p, T) is p^(1/T), normalised: what softmax(z / T) is to softmax(z)

    Source: docs/protocols/soft-label.md, "Local objective"; Hinton, Vinyals, Dean, arXiv 1503.02531.
    """
    softened = torch.softmax(soft_labels.clamp_min(_SMALLEST).log() / temperature, dim=1)
    return softened_loss(logits, softened, temperature=temperature)


def softened_loss(logits: Tensor, softened: Tensor, *, temperature: float) -> Tensor:
    """Return T²·KL(softened ‖ softmax(logits / T)), averaged over the batch.

    logits: float (batch, classes); softened: float (batch, classes), probabilities at temperature T already
    """
    student = torch.log_softmax(logits / temperature, dim=1)
    return nn.functional.kl_div(student, softened, reduction="batchmean") * temperature**2


def distill(
    model: nn.Module,
    inputs: NDArray[Any],
    soft_labels: NDArray[np.float32],
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    temperature: float,
) -> float:
    """Train a model in place on soft labels, with Adam, and return the mean loss of the last epoch.

    inputs: (inputs, …) in the form that the model takes; soft_labels: float32 (inputs, classes)
    """
    device = device_of(model)
    x = torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
    y = torch.from_numpy(np.ascontiguousarray(soft_labels)).to(device)
    optimizer = adam(model, learning_rate=learning_rate)
    model.train()
    loss_sum = 0.0
    for _ in range(epochs):
        loss_sum = 0.0
        for batch in torch.split(torch.randperm(len(x)), batch_size):
            optimizer.zero_grad()
            loss = distillation_loss(model(x[batch]), y[batch], temperature=temperature)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss_sum += float(loss.detach()) * len(batch)
    return loss_sum / len(x)


def predict(model: nn.Module, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Return a model's class probabilities on inputs.

    inputs: (inputs, …) in the form that the model takes
    returns: float32 (inputs, classes)

    Raises ModelError when the model's output is not (inputs, classes).
    """
    device = device_of(model)
    was_training = model.training
    model.eval()
    parts = []
    with torch.no_grad():
        for batch in torch.split(torch.from_numpy(np.ascontiguousarray(inputs)), _PREDICT_BATCH):
            logits = model(batch.to(device))
            if logits.ndim != 2 or len(logits) != len(batch):
                raise ModelError(
                    f"the model gives an output of shape {tuple(logits.shape)} for {len(batch)} inputs; logits of shape "
                    f"({len(batch)}, classes) are needed"
                )
            parts.append(torch.softmax(logits.float(), dim=1).cpu().numpy())
    model.train(was_training)
    return np.concatenate(parts).astype(np.float32)


def adam(model: nn.Module, *, learning_rate: float) -> torch.optim.Adam:
    """Return Adam for a model, its steps in one kernel where torch has that."""
    fused = device_of(model).type in _FUSED
    return torch.optim.Adam(model.parameters(), lr=learning_rate, fused=fused)


def class_count(model: nn.Module, inputs: NDArray[Any]) -> int:
    """Return how many classes a model tells apart, by trying it on one input.

    Raises PublicSetError when the model cannot take the inputs, ModelError when its output is no row of logits.
    """
    try:
        return int(predict(model, inputs[:1]).shape[1])
    except ModelError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise PublicSetError(
            f"public inputs of shape {inputs.shape[1:]} and type {inputs.dtype} do not fit the model "
            f"({str(error).splitlines()[0]}); pass them as the model takes them"
        ) from error


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters are."""
    parameter = next(iter(model.parameters()), None)
    return parameter.device if parameter is not None else torch.device("cpu")


def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_torch(seed: int) -> None:
    """Seed torch's generators."""
    torch.manual_seed(seed % 2**63)


def state_arrays(model: nn.Module) -> OrderedDict[str, NDArray[Any]]:
    """Return a model's state as numpy arrays, by name."""
    return OrderedDict((name, value.detach().cpu().numpy().copy()) for name, value in model.state_dict().items())


def load_arrays(model: nn.Module, arrays: dict[str, NDArray[Any]]) -> None:
    """Load a state from numpy arrays.

    Raises ModelError when names or shapes are another model's.
    """
    state = OrderedDict((name, torch.from_numpy(np.array(value))) for name, value in arrays.items())
    try:
        model.load_state_dict(cast(dict[str, Any], state), strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"the arrays do not fit the model {type(model).__name__} ({' '.join(str(error).split())}); "
            f"use the same architecture on both sides"
        ) from error
