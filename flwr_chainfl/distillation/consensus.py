"""The consensus term: one line in the user's own training loop that keeps the consensus alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flwr_chainfl.distillation.distill import device_of, distillation_loss


@dataclass(frozen=True)
class _Active:
    inputs: Tensor
    soft_labels: Tensor
    weight: float
    temperature: float
    batch_size: int


_active: ContextVar[_Active | None] = ContextVar("chainfl_consensus", default=None)


@contextmanager
def active_consensus(
    inputs: NDArray[np.generic],
    soft_labels: NDArray[np.float32],
    *,
    weight: float,
    temperature: float,
    batch_size: int,
) -> Iterator[None]:
    """Let `consensus_term` draw from a consensus inside a ``with`` block.

    `ChainClientApp` does this around the user's train function; call it yourself to use the term elsewhere.

    inputs: (inputs, …) in the form that the model takes; soft_labels: float32 (inputs, classes)
    """
    token = _active.set(
        _Active(
            torch.from_numpy(np.ascontiguousarray(inputs)),
            torch.from_numpy(np.ascontiguousarray(soft_labels)),
            weight,
            temperature,
            min(batch_size, len(inputs)),
        )
    )
    try:
        yield
    finally:
        _active.reset(token)


def consensus_term(model: nn.Module) -> Tensor:
    """Return λ·T²·KL(ȳ ‖ f) on a random batch of public inputs, to add to the loss of a training step.

    A participant that trains on its own classes alone forgets the rest; this term keeps what the federation
    agreed on. It is 0 where there is no consensus: in the first round, and under strategies without one.

    Source: docs/protocols/soft-label.md, "Local objective".

    Examples
    --------
    One line in the loop of the train function::

        loss = criterion(model(images), labels) + consensus_term(model)
    """
    device = device_of(model)
    active = _active.get()
    if active is None or active.weight == 0:
        return torch.zeros((), device=device)
    batch = torch.randint(len(active.inputs), (active.batch_size,))
    logits = model(active.inputs[batch].to(device))
    soft_labels = active.soft_labels[batch].to(device)
    return active.weight * distillation_loss(logits, soft_labels, temperature=active.temperature)
