import subprocess
import sys

import pytest

import flwr_chainfl

HEAVY = ["torch", "web3", "ray", "eth_tester", "matplotlib", "flwr"]


@pytest.mark.parametrize("name", flwr_chainfl.__all__)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(flwr_chainfl, name).__name__ == name


def test_the_public_names_are_listed_once_in_order_and_are_all_there_are() -> None:
    assert flwr_chainfl.__all__ == sorted(set(flwr_chainfl._HOME))
    assert dir(flwr_chainfl) == flwr_chainfl.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flwr_chainfl' has no attribute 'Casino'"):
        flwr_chainfl.Casino  # noqa: B018


def test_star_import_gives_the_public_names() -> None:
    code = "from flwr_chainfl import *; print(*sorted(name for name in dir() if not name.startswith('__')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split() == flwr_chainfl.__all__


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(name for name in {HEAVY} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(found.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert _loaded_after("import flwr_chainfl") == set()


@pytest.mark.parametrize("name", ["ChainClientApp", "FedSoftLabel", "Ledger", "Wallet"])
def test_what_needs_no_torch_does_not_load_it(name: str) -> None:
    assert "torch" not in _loaded_after(f"from flwr_chainfl import {name}")


def test_a_client_loads_nothing_of_the_chain() -> None:
    assert _loaded_after("from flwr_chainfl import ChainClientApp") == {"flwr"}
