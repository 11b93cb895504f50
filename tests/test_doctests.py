import doctest
from importlib import import_module

import pytest

MODULES = [
    "clientapp.soft_labels", "distillation.defense", "draws", "exact_mean", "fixedpoint", "labels.binary_log", "labels.calibration", "labels.codec",
    "labels.consensus", "labels.correction", "labels.histogram", "labels.label_format", "labels.qualities",
    "labels.quantization", "labels.single_vote", "labels.soft_consensus", "labels.votes", "reputation",
    "packed_vector", "rewards.by_role", "rewards.consistency", "rewards.schedules", "rewards.split", "scoring.contribution_weights", "scoring.correlated_agreement", "scoring.output_agreement", "scoring.pairing",
    "scoring.peer_truth_serum", "scoring.shapley", "updates", "crypto.vector_tree", "scoring.proxy_vote", "scoring.role_reward", "scoring.sample_count",
    "roles",     "signals", "storage.cid", "storage.retention",
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_hold(module: str) -> None:
    failed, attempted = doctest.testmod(import_module(f"flwr_chainfl.{module}"))
    assert (failed, attempted > 0) == (0, True)
