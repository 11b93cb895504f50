"""Knowledge distillation in torch: the one package that imports it."""

from flwr_chainfl.distillation.consensus import active_consensus, consensus_term
from flwr_chainfl.distillation.cvae import (
    ConditionalVAE,
    Decoder,
    Drawn,
    generate_public_set,
    pack_decoder,
    train_cvae,
    unpack_decoder,
)
from flwr_chainfl.distillation.defense import (
    AtTemperature,
    defensive_distillation,
    mix_arrays,
    proximal_distillation_loss,
    soft_targets,
    train_student,
    train_teacher,
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
    "AtTemperature",
    "ConditionalVAE",
    "Decoder",
    "Drawn",
    "active_consensus",
    "best_device",
    "class_count",
    "consensus_term",
    "defensive_distillation",
    "distill",
    "distillation_loss",
    "generate_public_set",
    "load_arrays",
    "mix_arrays",
    "pack_decoder",
    "predict",
    "proximal_distillation_loss",
    "seed_torch",
    "soft_targets",
    "state_arrays",
    "train_cvae",
    "train_student",
    "train_teacher",
    "unpack_decoder",
]
