"""An EVM inside this process: nothing to start, and a log that brings it back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed
from eth_utils.address import to_checksum_address
from web3 import EthereumTesterProvider, Web3

from flwr_chainfl.crypto import Wallet, keccak256
from flwr_chainfl.errors import ContractError, LedgerLogError
from flwr_chainfl.ledger.chain import Chain, Event, read_event

log = logging.getLogger("flwr")

GENESIS_TIME = 1_767_225_600  # 2026-01-01T00:00:00Z; the chain has a clock of its own, so that runs repeat
BLOCK_GAS_LIMIT = 1_000_000_000
_FORMAT = "flwr-chainfl ledger log 1"


class _RepeatableBackend(PyEVMBackend):  # type: ignore[misc]
    """py-evm whose blocks have the same hashes when they are replayed: eth-tester draws a part of each header at random."""

    def mine_blocks(self, num_blocks: int = 1, coinbase: bytes = bytes(20)) -> tuple[bytes, ...]:
        """Close blocks and return their hashes."""
        return tuple(
            bytes(self.chain.mine_block(coinbase=coinbase, mix_hash=bytes(32), blob_gas_used=0).hash)
            for _ in range(num_blocks)
        )


class EmbeddedChain(Chain):
    """py-evm behind eth-tester, with a clock that moves only when asked to.

    Each transaction and each move of the clock is appended to the log and flushed before the call returns.
    Opening an existing log replays it to the same state. The chain proves arithmetic and signatures, not
    decentralisation: whoever runs the process runs the chain.

    log_file: where the log is kept; None keeps none
    read_only: replay the log without adding to it, whoever wrote it

    Raises LedgerLogError when an existing log does not replay.
    """

    is_development = True

    def __init__(self, wallet: Wallet, log_file: Path | None = None, *, read_only: bool = False) -> None:
        lines = _read(log_file, repair=not read_only) if log_file is not None and log_file.exists() else []
        funded = str(lines[0].get("funded")) if lines else wallet.address
        if funded != wallet.address and not read_only:
            raise LedgerLogError(
                f"{log_file} was written by the account {funded}, this is {wallet.address}; open it with the same seed"
            )
        backend = _RepeatableBackend(
            genesis_parameters={
                **PyEVMBackend.generate_genesis_params(),
                "timestamp": GENESIS_TIME,
                "gas_limit": BLOCK_GAS_LIMIT,
            },
            genesis_state={
                bytes.fromhex(funded[2:]): {"balance": 10**36, "nonce": 0, "code": b"", "storage": {}}
            },
        )
        self._tester = EthereumTester(backend)
        self._events: list[Event] = []
        self._called: dict[tuple[str, str | None, bytes], bytes] = {}  # results in the newest state, until it changes
        self._caller = funded if read_only else wallet.address
        self._log: IO[str] | None = None
        self.log_file = log_file
        super().__init__(Web3(EthereumTesterProvider(self._tester)), wallet, "embedded")
        self._replay(lines[1:])
        self._nonce = int(self.web3.eth.get_transaction_count(cast(Any, wallet.address)))
        if log_file is not None and not read_only:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            self._log = log_file.open("a", encoding="utf-8")
            if not lines:
                self._append({"format": _FORMAT, "chain-id": self.chain_id, "genesis-time": GENESIS_TIME,
                              "funded": wallet.address})

    def now(self) -> int:
        """Return the time of the next block, in seconds since 1970."""
        return int(self._tester.backend.chain.get_canonical_head().timestamp) + 1

    def height(self) -> int:
        """Return the number of the newest block."""
        return int(self._tester.backend.chain.get_canonical_head().block_number)

    def advance_past(self, timestamp: int) -> None:
        """Move the clock so that blocks are later than `timestamp` (seconds since 1970)."""
        if timestamp >= self.now():
            self._mine_at(timestamp)
            self._append({"time": timestamp})

    def wait_for(self, ready: Callable[[], bool], *, until: int) -> bool:
        """Ask `ready`; when it does not say so, move the clock past `until` and ask once more."""
        if ready():
            return True
        self.advance_past(until)
        return ready()

    def events(self, address: str, *, from_block: int = 0) -> list[Event]:
        """Return all events of a contract, in order; from the receipts, since eth-tester's own query slows with each block."""
        emitter = to_checksum_address(address)
        return [event for event in self._events if event.address == emitter and event.block >= from_block]

    def state_root(self) -> str:
        """Return the hash of the whole state after the last block."""
        return "0x" + bytes(self._tester.backend.chain.get_canonical_head().state_root).hex()

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _gas_limit(self, to: str | None, data: bytes) -> int:
        return BLOCK_GAS_LIMIT // 2

    def _deliver(self, raw: bytes) -> Mapping[str, Any]:
        receipt = self._execute(raw)
        self._append({"tx": raw.hex()})
        return receipt

    def call(self, to: str | None, data: bytes, *, block: int | None = None) -> bytes:
        """Run a call without a transaction and return its result; raises ContractError as `send` does.

        block: in whose state; the newest when left out
        """
        key, is_newest = (self._caller, to, data), block is None or block == self.height()
        if is_newest and key in self._called:
            return self._called[key]
        request: dict[str, Any] = {"from": self._caller, "data": "0x" + data.hex(), "gas": BLOCK_GAS_LIMIT // 2,
                                   "to": to or ""}
        try:
            found = bytes.fromhex(str(self._tester.call(request, "latest" if block is None else block))[2:])
        except TransactionFailed as error:
            reason = error.args[0] if error.args else ""
            revert = "0x" + reason.hex() if isinstance(reason, bytes) else _hex_of(str(reason))
            raise ContractError(f"the contract refused: {reason!r}", arguments={"data": revert}) from error
        if is_newest:
            self._called[key] = found
        return found

    def _execute(self, raw: bytes) -> Mapping[str, Any]:
        self._called.clear()
        self._tester.backend.chain.set_header_timestamp(self.now())
        transaction_hash = self._tester.send_raw_transaction("0x" + raw.hex())
        receipt = cast(Mapping[str, Any], self.web3.eth.get_transaction_receipt(transaction_hash))
        self._events.extend(read_event(entry) for entry in receipt["logs"])
        return receipt

    def _mine_at(self, timestamp: int) -> None:
        self._called.clear()
        self._tester.backend.chain.set_header_timestamp(timestamp)
        self._tester.mine_block()

    def _replay(self, lines: list[dict[str, Any]]) -> None:
        for number, line in enumerate(lines, start=2):
            try:
                if "tx" in line:
                    self._execute(bytes.fromhex(line["tx"]))
                else:
                    self._mine_at(int(line["time"]))
            except Exception as error:
                raise LedgerLogError(
                    f"line {number} of {self.log_file} does not replay ({error}); the log was changed after it was written"
                ) from error

    def _append(self, entry: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._log.flush()


def _read(file: Path, *, repair: bool) -> list[dict[str, Any]]:
    """Return a log's entries; a last line that a crash cut off is dropped, with `repair` from the file too."""
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        log.warning("the last line of %s was cut off; it is dropped", file)
        if repair:
            file.write_text(whole, encoding="utf-8")
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise LedgerLogError(f"line {number} of {file} is no JSON; the log was changed after it was written") from error
        if not isinstance(entry, dict):
            raise LedgerLogError(f"line {number} of {file} is no entry; the log was changed after it was written")
        entries.append(entry)
    if entries and entries[0].get("format") != _FORMAT:
        raise LedgerLogError(f"{file} is no ledger log of this version ({_FORMAT!r} expected in its first line)")
    return entries


def _hex_of(reason: str) -> str:
    """Return revert data that eth-tester reports as the text of a Python bytes object."""
    if reason.startswith(("b'", 'b"')):
        import ast

        return "0x" + cast(bytes, ast.literal_eval(reason)).hex()
    return reason if reason.startswith("0x") else "0x" + keccak256(b"Error(string)")[:4].hex()
