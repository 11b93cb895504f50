"""What all methods of a comparison share: data, initial models, the training loop, distilling and testing."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Strategy
from torch import Tensor, nn

from examples.benchmarks.data import CLASSES, Data, FederatedData
from examples.benchmarks.models import make_model

_FORWARD_BATCH = 128  # larger ones leave a CPU's cache

ExtraLoss = Callable[[nn.Module], Tensor]
"""A term that a method adds to the loss of each local step."""


@dataclass(frozen=True)
class Method:
    """A way to learn together, ready to start.

    strategy: as a ServerApp starts it; apps: one a client, in the order of the partitions
    server_model: whether the strategy's `arrays` are a model that can be tested
    """

    strategy: Strategy
    apps: list[ClientApp]
    server_model: bool = True


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What each method may spend.

    local_epochs: passes over the private data a round; distill_epochs, student_epochs: passes over the public inputs
    a round when a client, and when a server's model, learns from others; learning_rate: of Adam, everywhere
    """

    rounds: int
    local_epochs: int
    distill_epochs: int
    student_epochs: int
    batch_size: int
    learning_rate: float


class Task:
    """One seed's task: the same for each method that runs on it.

    model: the server's, and the clients' where `client_models` (repeated in the order of the partitions) is empty
    distillation: FedSoftLabel's own parameters; proximal_mu: FedProx's µ
    free_riders: clients, the first ones, that send the weights they got, with normal noise of that standard deviation;
    methods in which weights travel have them; signals: parameters that peer prediction looks at;
    softmax_alpha: of its weights from scores, None: all alike that score above chance
    scratch: a folder for what a method writes
    """

    def __init__(
        self, data: FederatedData, budget: Budget, *, model: str, client_models: tuple[str, ...], seed: int,
        device: torch.device, scratch: Path, proximal_mu: float, distillation: dict[str, Any],
        precision: str = "float32", free_riders: int = 0, free_rider_noise: float = 0.0, signals: int = 500,
        softmax_alpha: float | None = 10.0,
    ) -> None:
        self.data = data
        self.budget = budget
        self.seed = seed
        self.device = device
        self.scratch = scratch
        self.proximal_mu = proximal_mu
        self.distillation = distillation
        self.free_riders = free_riders
        self.free_rider_noise = free_rider_noise
        self.signals = signals
        self.softmax_alpha = softmax_alpha
        self.clients = len(data.private)
        self.same_architecture = set(client_models) <= {model}
        self.test_seconds = 0.0
        self._server_model = model
        self._client_models = client_models or (model,)
        self._tested: dict[bytes, float] = {}
        self._initial: dict[str, nn.Module] = {}
        for name in sorted({model, *self._client_models}):
            torch.manual_seed(seed)
            side = data.test.images.shape[-1]
            initial = make_model(name, side=side, classes=CLASSES, precision=precision)
            # convolutions on CPUs answer up to four times faster with channels last, whoever calls them
            self._initial[name] = initial.to(device, memory_format=torch.channels_last)

    def make_model(self, partition: int | None = None) -> nn.Module:
        """Return a client's model, or the server's, as it is before the first round."""
        names = self._client_models
        return copy.deepcopy(self._initial[self._server_model if partition is None else names[partition % len(names)]])

    @property
    def nodes(self) -> dict[str, int]:
        """Keywords of Flower's strategies: every client takes part in every round."""
        return {name: self.clients for name in ("min_train_nodes", "min_evaluate_nodes", "min_available_nodes")}

    @cached_property
    def public_inputs(self) -> Tensor:
        """Float32 (inputs, 1, side, side), on the device."""
        return torch.from_numpy(self.data.public.images).to(self.device)

    @cached_property
    def _test_data(self) -> tuple[Tensor, Tensor]:
        return self._on_device(self.data.test)

    def _on_device(self, data: Data) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(data.images).to(self.device), torch.from_numpy(data.labels).to(self.device)

    def seed_torch(self, who: object, server_round: int, phase: str) -> None:
        """Seed torch for a client or the server, a round and a phase, so that order and batches repeat.

        Choice: the rule of FedSoftLabel's clients, so that everybody's first local epochs are the same.
        """
        hashed = hashlib.sha256(f"{self.seed} {who} {server_round} {phase}".encode()).digest()
        torch.manual_seed(int.from_bytes(hashed[:8], "big") % 2**63)

    def train(self, model: nn.Module, data: Data, *, epochs: int | None = None, extra: ExtraLoss | None = None) -> float:
        """Train in place with Adam on labelled data; return the mean loss a step.

        epochs: the budget's local epochs when left out; extra: added to the cross-entropy of each step
        """
        images, labels = self._on_device(data)

        def loss_of(batch: Tensor) -> Tensor:
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            return loss if extra is None else loss + extra(model)

        return self._fit(model, loss_of, len(labels), self.budget.local_epochs if epochs is None else epochs)

    def distill(
        self, model: nn.Module, targets: Tensor, *, loss: Callable[[Tensor, Tensor], Tensor], epochs: int,
        cosine: bool = False,
    ) -> float:
        """Train in place with Adam on the public inputs; return the mean loss a step.

        targets: float (inputs, classes); loss: of logits and targets of a batch
        cosine: whether the learning rate falls to 0 along a cosine
        """
        inputs, wanted = self.public_inputs, targets.to(self.device)
        return self._fit(
            model, lambda batch: loss(model(inputs[batch]), wanted[batch]), len(inputs), epochs, cosine=cosine
        )

    def _fit(
        self, model: nn.Module, loss_of: Callable[[Tensor], Tensor], count: int, epochs: int, *, cosine: bool = False
    ) -> float:
        """Take Adam's steps over random batches of `count` rows."""
        optimizer = torch.optim.Adam(model.parameters(), lr=self.budget.learning_rate, fused=True)
        steps = epochs * -(-count // self.budget.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1)) if cosine else None
        total = torch.zeros((), device=self.device)
        model.train()
        for _ in range(epochs):
            for batch in torch.randperm(count).split(self.budget.batch_size):
                optimizer.zero_grad()
                loss = loss_of(batch.to(self.device))
                loss.backward()
                optimizer.step()
                total += loss.detach()
                if schedule is not None:
                    schedule.step()
        return float(total) / max(steps, 1)

    def logits(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Return a model's logits without its dropout, float32 (inputs, classes)."""
        model.eval()
        with torch.no_grad():
            return torch.cat([model(batch) for batch in inputs.split(_FORWARD_BATCH)])

    def test(self, model: nn.Module) -> float:
        """Return the accuracy on the test images; the seconds it took are added to `test_seconds`.

        The same weights are tested once, since many clients of FedAvg hold the same model.
        """
        began = time.perf_counter()
        key = hashlib.sha256(type(model).__name__.encode())
        for value in model.state_dict().values():
            key.update(value.cpu().numpy().tobytes())
        if key.digest() not in self._tested:
            images, labels = self._test_data
            hits = int((self.logits(model, images).argmax(1) == labels).sum())
            self._tested[key.digest()] = hits / len(labels)
        self.test_seconds += time.perf_counter() - began
        return self._tested[key.digest()]


def partition_of(context: Context) -> int:
    """Return the partition that a client's node-config names."""
    return int(context.node_config["partition-id"])
