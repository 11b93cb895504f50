import doctest
from importlib import import_module

import pytest

MODULES = ["fixedpoint", "labels.consensus", "rewards.schedules", "rewards.split", "scoring.peer_truth_serum",
           "scoring.sample_count", "storage.cid"]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_hold(module: str) -> None:
    failed, attempted = doctest.testmod(import_module(f"flwr_chainfl.{module}"))
    assert (failed, attempted > 0) == (0, True)
