"""Chainlink's published mock coordinator: compiled from the sources that tools/fetch_chainlink.sh brings."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from typing import Any

import pytest
import solcx
from eth_utils.address import to_checksum_address

from flwr_chainfl.ledger import Event, Ledger, Randomness
from flwr_chainfl.ledger.abi import Abi
from tests.nodes import ROOT
from tools.build_contracts import compiler

SOURCES = ROOT / "lib" / "chainlink"
MOCK = "vrf/mocks/VRFCoordinatorV2_5Mock.sol"
MISSING = "Node.js and npm are missing, which fetch and compile the coordinator's mock: apt-get install nodejs npm"
_IMPORT = re.compile(r'^import\s[^"]*"([^"]+)";', re.MULTILINE)


@cache
def mock_abi() -> Abi:
    """Return the mock's interface and code; skips the test where it cannot be had."""
    if shutil.which("npm") is None or not (ROOT / "node_modules" / "solc").is_dir():
        pytest.skip(MISSING)
    if not (SOURCES / ".installed").is_file():
        subprocess.run(["sh", "tools/fetch_chainlink.sh", str(SOURCES)], cwd=ROOT, check=True)
    output = solcx.compile_standard(
        {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in _closure(MOCK).items()},
            "settings": {
                "optimizer": {"enabled": True, "runs": 200},
                "outputSelection": {MOCK: {"VRFCoordinatorV2_5Mock": ["abi", "evm.bytecode.object"]}},
            },
        },
        solc_binary=compiler(),
    )
    found = output["contracts"][MOCK]["VRFCoordinatorV2_5Mock"]
    return Abi({"contractName": "VRFCoordinatorV2_5Mock", "abi": found["abi"],
                "bytecode": "0x" + found["evm"]["bytecode"]["object"]})


def _closure(name: str) -> dict[str, str]:
    """Return a source and all that it imports, by path below the fetched folder."""
    found: dict[str, str] = {}
    queue = [name]
    while queue:
        path = queue.pop()
        if path not in found:
            found[path] = (SOURCES / path).read_text()
            queue.extend(_resolved(path, target) for target in _IMPORT.findall(found[path]))
    return found


def _resolved(importer: str, target: str) -> str:
    return str((SOURCES / importer).parent.joinpath(target).resolve().relative_to(SOURCES.resolve()))


class Coordinator:
    """The mock on a ledger, with a subscription that this ledger's account owns; it answers when told to."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._abi = mock_abi()
        created = ledger.chain.send(None, self._abi.encode_constructor((10**17, 10**9, 5 * 10**15))).contract
        assert created is not None
        self.address = created
        self._send("createSubscription")
        (opened,) = [a for name, a in self.events() if name == "SubscriptionCreated"]
        self.subscription = int(opened["subId"])
        self._send("fundSubscription", self.subscription, 10**20)

    def source(self, *, is_consumer: bool = True) -> Randomness:
        """Deploy a source of randomness, and enter it among the subscription's consumers."""
        source = self.ledger.deploy_vrf(self.address, key_hash=b"\1" * 32, subscription=self.subscription)
        if is_consumer:
            self.add(source)
        return source

    def add(self, source: Randomness) -> None:
        """Enter a source among the subscription's consumers."""
        self._send("addConsumer", self.subscription, source.address)

    def answer(self) -> list[int]:
        """Answer all requests that wait; return the words."""
        events = self.events()
        answered = {a["requestId"] for name, a in events if name == "RandomWordsFulfilled"}
        words = []
        for name, a in events:
            if name == "RandomWordsRequested" and a["requestId"] not in answered:
                words.append(7**80 + a["requestId"])
                self._send("fulfillRandomWordsWithOverride", a["requestId"], to_checksum_address(a["sender"]), [words[-1]])
        return words

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what the mock emitted, in order."""
        found: list[Event] = self.ledger.chain.events(self.address)
        decoded = (self._abi.decode_event(list(event.topics), event.data) for event in found)
        return [event for event in decoded if event is not None]

    def _send(self, function: str, *arguments: Any) -> None:
        self.ledger.chain.send(self.address, self._abi.encode_call(function, arguments))
