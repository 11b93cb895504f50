import pytest

from tools.flower_run import superlink


@pytest.fixture(scope="module")
def flower(tmp_path_factory):
    """A SuperLink of its own for the simulations of a module."""
    with superlink(tmp_path_factory.mktemp("flwr")) as started:
        yield started
