"""Validators judge the workers and what the round began with: the marks that proxy votes are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flwr_chainfl.crypto import address_order
from flwr_chainfl.messages import TYPE_VOTE
from flwr_chainfl.roles import Role


@dataclass(frozen=True, kw_only=True)
class ValidatorVotes:
    """The drawn validators judge each worker's contribution and the reference; `scoring.ProxyVote` makes votes of it.

    Models are judged by the validator's own evaluate function, soft labels by how far they go with those of its own model.
    A validator that runs no evaluation and sends any numbers is paid like the others; its reputation falls where they go
    against the outcome.

    metric: name of the evaluation metric that is the mark, a share from 0 to 1, where models are judged
    retrained: whether the reference is what the validator's own train function makes of the global model, instead of that
    model itself. On skewed data it forgets other classes as the workers' models do, so that honest workers are not rejected
    for it; it costs the validators a training each round. Soft labels have no such reference

    Source: docs/protocols/role-rotation.md, "Votes"; VBFL, arXiv 2101.03300 (the retrained reference).
    """

    metric: str = "accuracy"
    retrained: bool = False

    message_type: str = field(default=TYPE_VOTE, init=False)
    judges_reference: bool = field(default=True, init=False)

    @property
    def retrains_reference(self) -> bool:
        """Whether validators train the reference themselves."""
        return self.retrained

    def terms(self) -> dict[str, Any]:
        """Return kind and parameters."""
        return {"kind": "validator-votes", "metric": self.metric, "retrained": self.retrained}

    def assessors(self, workers: Sequence[str], roles: Mapping[str, Any]) -> list[str]:
        """Return the drawn validators, in the order of addresses."""
        drawn = [participant for participant, role in roles.items() if role == Role.VALIDATOR]
        return sorted(drawn, key=address_order)
