import json
import re
from dataclasses import fields
from importlib import resources

import pytest

from flwr_chainfl.errors import LedgerError
from flwr_chainfl.ledger import Member, Round, RoundStatus, Settings, TaskStatus, randomness, task
from flwr_chainfl.ledger.abi import load

ARTIFACTS = resources.files("flwr_chainfl.ledger") / "artifacts"


def test_a_contract_that_was_never_compiled_is_named_with_the_remedy() -> None:
    with pytest.raises(LedgerError, match="no compiled contract 'Casino' .*`make contracts`"):
        load("Casino")


def test_data_of_another_contract_is_not_decoded() -> None:
    abi = load("FederatedTask")
    assert abi.decode_error(b"\0\0\0\0") is None
    assert abi.decode_error(b"") is None
    assert abi.decode_event([b"\0" * 32], b"") is None
    assert abi.decode_event([], b"") is None


@pytest.mark.parametrize(
    ("remedies", "contracts"),
    [(task._REMEDIES, ("FederatedTask", "TestToken", "Invitations", "VRFRandomness")),
     (randomness._REMEDIES, ("VRFRandomness",))],
)  # fmt: skip
def test_every_remedy_is_of_an_error_that_a_contract_has(remedies: dict[str, str], contracts: tuple[str, ...]) -> None:
    assert set(remedies) <= {entry.name for contract in contracts for entry in load(contract).errors.values()}


@pytest.mark.parametrize(
    ("view", "record"), [("settings", Settings), ("memberOf", Member), ("roundOf", Round)]
)
def test_a_record_s_fields_are_the_contract_s_in_its_order(view: str, record: type) -> None:
    artifact = json.loads((ARTIFACTS / "FederatedTask.json").read_text())
    (function,) = (item for item in artifact["abi"] if item["type"] == "function" and item["name"] == view)
    names = [component["name"] for component in function["outputs"][0]["components"]]
    assert [re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name) for name in names] == [
        field.name for field in fields(record)
    ]


def test_statuses_count_as_the_contract_does() -> None:
    assert [status.name for status in TaskStatus] == ["CREATED", "OPEN", "RUNNING", "COMPLETED"]
    assert [status.name for status in RoundStatus] == ["NONE", "OPEN", "POSTED", "CHALLENGED", "PAID", "VOID"]
    assert list(map(int, RoundStatus)) == list(range(6))
