"""Knowledge distillation in torch: the one package that imports it."""

from flwr_chainfl.distillation.consensus import active_consensus, consensus_term
from flwr_chainfl.distillation.cvae import (
    ConditionalVAE,
    Decoder,
    generate_public_set,
    pack_decoder,
    train_cvae,
    unpack_decoder,
)
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
    "ConditionalVAE",
    "Decoder",
    "active_consensus",
    "best_device",
    "class_count",
    "consensus_term",
    "distill",
    "distillation_loss",
    "generate_public_set",
    "load_arrays",
    "pack_decoder",
    "predict",
    "seed_torch",
    "state_arrays",
    "train_cvae",
    "unpack_decoder",
]
