import pytest

from tests.nodes import ROOT
from tools.flower_run import superlink

QUICKSTART = ROOT / "examples" / "quickstart"


@pytest.fixture(scope="module")
def flower(tmp_path_factory):
    """A SuperLink of its own for the simulations of a module."""
    with superlink(tmp_path_factory.mktemp("flwr")) as started:
        yield started
