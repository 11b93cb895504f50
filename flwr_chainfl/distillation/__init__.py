"""Knowledge distillation in torch: the one package that imports it."""

from flwr_chainfl.distillation.consensus import active_consensus, consensus_term
from flwr_chainfl.distillation.distill import (
    best_device,
    class_count,
    distill,
    distillation_loss,
    load_arrays,
    predict,
    seed_torch,
    state_arrays,
)

__all__ = [
    "active_consensus",
    "best_device",
    "class_count",
    "consensus_term",
    "distill",
    "distillation_loss",
    "load_arrays",
    "predict",
    "seed_torch",
    "state_arrays",
]
