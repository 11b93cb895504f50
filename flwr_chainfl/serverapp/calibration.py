"""Calibration items: public inputs whose labels the requester knows, committed to before a round's reveals."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from flwr_chainfl.config import require
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.labels import pack_calibration
from flwr_chainfl.ledger import NO_HASH

log = logging.getLogger("flwr")

UNKNOWN = 255
"""Label of a public input that the requester knows no label of."""


@dataclass(frozen=True)
class Opening:
    """Calibration items and the salt of their commitment; no items and a zero salt for none."""

    items: bytes
    salt: bytes


NO_CALIBRATION = Opening(b"", NO_HASH)


class Calibration:
    """Draws each round's calibration items, none of them twice, since settling a round makes them known.

    A participant whose labels on them are not above chance gets no weight in the consensus and no pay. This is what
    breaks a coalition that relabels together, at the price of trusting the requester's labels; the requester is bound
    by the commitment.

    Parameters
    ----------
    known : array
        uint8 (public inputs,): the label of each, `UNKNOWN` (255) where it is not known.
    share : float
        Calibration items of a round, as a share of the public inputs.
    seed : int, optional
        Makes the draw repeat; without, nobody can foretell it.

    Source: docs/protocols/soft-label.md, "Calibration".
    """

    def __init__(self, known: ArrayLike, *, share: float = 0.02, seed: int | None = None) -> None:
        require("calibration share", share, above=0, maximum=1)
        labels = np.asarray(known)
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.size == 0:
            raise ConfigError(
                f"calibration labels have shape {labels.shape} and type {labels.dtype}; one integer for each public input "
                f"is needed, {UNKNOWN} where none is known"
            )
        if (labels < 0).any() or (labels > UNKNOWN).any():
            raise ConfigError(f"calibration labels range from {labels.min()} to {labels.max()}; 0 to {UNKNOWN} are possible")
        self.labels = labels.astype(np.uint8)
        self._count = max(1, round(share * len(labels)))
        self._generator = np.random.default_rng(secrets.randbits(128) if seed is None else [seed, len(labels)])
        self._left = self._generator.permutation(np.flatnonzero(self.labels != UNKNOWN))
        if not len(self._left):
            raise ConfigError("no calibration label is known; name some, or leave calibration off")

    def draw(self) -> Opening:
        """Return the items of the next round with a new salt; no items once all have been used."""
        if not len(self._left):
            log.warning("All calibration items have been used; the round goes without")
            return NO_CALIBRATION
        taken, self._left = np.sort(self._left[: self._count]), self._left[self._count :]
        return Opening(pack_calibration(taken, self.labels[taken]), self._generator.bytes(32))
