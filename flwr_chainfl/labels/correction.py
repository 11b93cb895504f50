"""Take a participant's own class prior out of its soft labels, so that skewed data skews the consensus less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError

SMOOTHING = 0.01
"""Added to each class's share; bounds what a class that a model never predicts is raised by."""

CORRECTIONS = ("own-mean", "none")
"""Names that `corrected` knows."""


def corrected(soft_labels: NDArray[np.float32], *, correction: str) -> NDArray[np.float32]:
    """Return soft labels with the participant's own prior divided out.

    A model that was trained on few classes predicts them everywhere. Its mean over the public inputs estimates that
    prior, and dividing by it leaves what the model says about the input. It takes for granted that the classes are
    about equally frequent among the public inputs.

    soft_labels: float32 (tasks, classes), rows summing to 1
    correction: ``own-mean`` or ``none``
    returns: float32 (tasks, classes), rows summing to 1

    Raises ConfigError for another name.
    Source: docs/protocols/soft-label.md, "Prior correction"; Saerens, Latinne, Decaestecker, Neural Computation 14(1),
    2002 (adjusting a classifier to new priors).
    Choice: the prior is estimated from the report itself, so that nothing about the data has to be revealed.

    >>> print(corrected(np.array([[0.9, 0.1], [0.7, 0.3]], dtype=np.float32), correction="own-mean").round(2))
    [[0.7  0.3 ]
     [0.38 0.62]]
    """
    if correction not in CORRECTIONS:
        raise ConfigError(f"correction is {correction!r}; {' and '.join(map(repr, CORRECTIONS))} are possible")
    if correction == "none":
        return soft_labels
    prior = soft_labels.mean(axis=0, dtype=np.float64) + SMOOTHING
    raised = soft_labels / prior
    raised /= raised.sum(axis=1, keepdims=True)
    result: NDArray[np.float32] = raised.astype(np.float32)
    return result
