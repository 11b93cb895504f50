import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from flwr_chainfl.ledger import Ledger

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def embedded() -> Iterator[Ledger]:
    ledger = Ledger.open()
    yield ledger
    ledger.close()
