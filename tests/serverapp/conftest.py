import atexit
import gc
import logging

import pytest
import torch
from flwr.supercore.task_identity import TaskIdentity

from flwr_chainfl import ChainStrategy
from tests.serverapp.federation import RUN_ID


@pytest.fixture(autouse=True)
def server_process(monkeypatch):
    """Give this process the identity that Flower gives a ServerApp's, and close no run after the tests."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
    torch.set_num_threads(1)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    yield
    for strategy in [found for found in gc.get_objects() if issubclass(type(found), ChainStrategy)]:
        atexit.unregister(strategy.close)
        if strategy.relay is not None:
            strategy.relay.ledger.close()
