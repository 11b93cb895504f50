"""Labels of public inputs that the server knows: what the student learns beside the consensus."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flwr_chainfl.errors import PublicSetError
from flwr_chainfl.serverapp.calibration import UNKNOWN

log = logging.getLogger("flwr")


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Whose decoder drew each public input.

    of_input: int64 (inputs,), positions in `signers`; signers: addresses
    """

    of_input: NDArray[np.int64]
    signers: Sequence[str]


def checked_labels(known: ArrayLike | None, tasks: int, classes: int) -> NDArray[np.uint8] | None:
    """Return known labels as uint8 (tasks,), 255 where one is not known; None for None.

    Raises PublicSetError when they are not one integer a public input, or name a class that there is not.
    """
    if known is None:
        return None
    array = np.asarray(known)
    if array.shape != (tasks,) or array.dtype.kind not in "iu":
        raise PublicSetError(
            f"known_labels have shape {array.shape} and type {array.dtype}; one integer for each of the {tasks} public "
            f"inputs is needed, {UNKNOWN} where its label is not known"
        )
    wrong = (array != UNKNOWN) & ((array < 0) | (array >= classes))
    if wrong.any():
        raise PublicSetError(
            f"known_labels hold {array[wrong][0]} at {int(wrong.argmax())}; labels below {classes}, or {UNKNOWN}, are possible"
        )
    return array.astype(np.uint8)


def with_known(
    consensus: NDArray[np.float32], known: NDArray[np.uint8], weight: float, owners: Owners | None
) -> NDArray[np.float32]:
    """Return what the student learns: the consensus, and known labels by their share.

    consensus: probabilities (tasks, classes); known: (tasks,), 255 for unknown; weight: share of a known label, 0 to 1, of
    a drawn input's as far as its decoder is believed

    Source: docs/protocols/soft-label.md, "Public set".
    """
    rows = np.flatnonzero(known != UNKNOWN)
    share = np.full(len(rows), weight, np.float32)
    if owners is not None:
        share *= _belief(consensus.argmax(axis=1) == known, owners)[owners.of_input[rows]]
    targets = consensus.copy()
    targets[rows] *= 1 - share[:, None]
    targets[rows, known[rows]] += share
    return targets


def _belief(agrees: NDArray[np.bool_], owners: Owners) -> NDArray[np.float32]:
    """Return how far each decoder's classes are believed, 0 to 1, from where the consensus agrees, (tasks,)."""
    drawn = np.bincount(owners.of_input, minlength=len(owners.signers))
    agreed = np.bincount(owners.of_input, weights=agrees, minlength=len(owners.signers)) / np.maximum(drawn, 1)
    belief: NDArray[np.float32] = np.minimum(1.0, agreed / max(agrees.mean() / 2, 1e-9)).astype(np.float32)
    for owner in np.flatnonzero((belief < 1) & (drawn > 0)):
        log.info(
            "The student believes %s's decoder by %.0f %%: the consensus agrees with %.0f %% of its classes, with %.0f %% of all",
            owners.signers[int(owner)], 100 * belief[owner], 100 * agreed[owner], 100 * agrees.mean(),
        )  # fmt: skip
    return belief
