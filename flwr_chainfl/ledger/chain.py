"""A chain as the task client needs it: send, call, read events, tell the time. One class per way to reach one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception
from web3.types import FilterParams, TxParams

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ContractError, LedgerError, LedgerUnreachableError, WrongChainError

log = logging.getLogger("flwr")

MAX_FEE_PER_GAS = 100 * 10**9
MAX_PRIORITY_FEE_PER_GAS = 10**9
RECEIPT_TIMEOUT_SECONDS = 120.0
_CALLS_A_REQUEST = 100  # some nodes take no more


@dataclass(frozen=True)
class Event:
    """One event of a contract.

    address: checksummed emitter; block: number; topics, data: as emitted
    """

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int


@dataclass(frozen=True)
class Receipt:
    """What a transaction did.

    gas_used: gas; contract: address of a created contract, or None
    """

    transaction_hash: str
    gas_used: int
    block: int
    contract: str | None
    events: tuple[Event, ...]


class Chain:
    """A chain reached through web3, with one account that sends the transactions.

    Transactions are complete when they are signed (nonce, fees, gas), so sending one takes one request.
    """

    url: str
    is_development: bool

    def __init__(self, web3: Web3, wallet: Wallet, url: str) -> None:
        self.web3 = web3
        self.wallet = wallet
        self.url = url
        self.chain_id = int(web3.eth.chain_id)
        self._nonce = int(web3.eth.get_transaction_count(cast(Any, wallet.address)))

    def send(self, to: str | None, data: bytes) -> Receipt:
        """Send a transaction and wait until it is in a block.

        to: None creates a contract

        Raises ContractError, with the raw revert data in `arguments["data"]`, when the contract refused.
        """
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": self._nonce,
            "value": 0,
            "data": data,
            "gas": self._gas_limit(to, data),
            **self._fees(),
        }
        if to is not None:
            transaction["to"] = to
        raw = self.wallet.sign_transaction(transaction)
        self._nonce += 1
        receipt = self._deliver(raw)
        if receipt["status"] != 1:
            self.call(to, data)  # raises the reason; the state that refused is unchanged
            raise ContractError(
                f"transaction {receipt['transactionHash'].hex()} failed without a reason, using {receipt['gasUsed']} gas; "
                f"raise the gas limit"
            )
        created = receipt.get("contractAddress")
        return Receipt(
            transaction_hash="0x" + bytes(receipt["transactionHash"]).hex(),
            gas_used=int(receipt["gasUsed"]),
            block=int(receipt["blockNumber"]),
            contract=to_checksum_address(created) if created else None,
            events=tuple(read_event(entry) for entry in receipt["logs"]),
        )

    def call(self, to: str | None, data: bytes, *, block: int | None = None) -> bytes:
        """Run a call without a transaction and return its result; raises ContractError as `send` does.

        block: in whose state; the newest when left out
        """
        try:
            return bytes(self.web3.eth.call(self._request(to, data), "latest" if block is None else block))
        except (ContractLogicError, ValueError, Web3Exception) as error:
            raise _refusal(error) from error

    def call_many(self, to: str, data: Sequence[bytes], *, block: int | None = None) -> list[bytes]:
        """Return the results of several calls, in order; raises ContractError as `send` does."""
        return [self.call(to, one, block=block) for one in data]

    def events(self, address: str, *, from_block: int = 0) -> list[Event]:
        """Return all events of a contract, in order."""
        query = cast(FilterParams, {"address": address, "fromBlock": from_block, "toBlock": "latest"})
        return [read_event(entry) for entry in self.web3.eth.get_logs(query)]

    def has_code(self, address: str) -> bool:
        """Say whether there is a contract at an address."""
        return len(self.web3.eth.get_code(cast(Any, address))) > 0

    def height(self) -> int:
        """Return the number of the newest block."""
        return int(self.web3.eth.block_number)

    def now(self) -> int:
        """Return the time of the next block, in seconds since 1970."""
        return int(self.web3.eth.get_block("pending")["timestamp"])

    def advance_past(self, timestamp: int) -> None:
        """Return once blocks are later than `timestamp` (seconds since 1970)."""
        raise NotImplementedError

    def wait_for(self, ready: Callable[[], bool], *, until: int) -> bool:
        """Wait until `ready` says so, or blocks are later than `until` (seconds since 1970); return whether it did."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what the chain holds open."""

    def _request(self, to: str | None, data: bytes) -> TxParams:
        request: dict[str, Any] = {"from": self.wallet.address, "data": data}
        return cast(TxParams, request if to is None else {**request, "to": to})

    def _gas_limit(self, to: str | None, data: bytes) -> int:
        raise NotImplementedError

    def _fees(self) -> dict[str, int]:
        return {"maxFeePerGas": MAX_FEE_PER_GAS, "maxPriorityFeePerGas": MAX_PRIORITY_FEE_PER_GAS}

    def _deliver(self, raw: bytes) -> Mapping[str, Any]:
        transaction_hash = self.web3.eth.send_raw_transaction(raw)
        return cast(
            Mapping[str, Any],
            self.web3.eth.wait_for_transaction_receipt(
                transaction_hash, timeout=RECEIPT_TIMEOUT_SECONDS, poll_latency=0.02
            ),
        )


class RpcChain(Chain):
    """A chain behind an RPC address, ``http://…``, ``https://…`` or ``ipc:PATH``.

    chain_id: the chain that is meant; None takes the node's word

    Raises LedgerUnreachableError when no node answers, WrongChainError when it is another chain.
    """

    def __init__(self, url: str, wallet: Wallet, *, chain_id: int | None = None) -> None:
        provider = (
            Web3.IPCProvider(url.removeprefix("ipc:"))
            if url.startswith("ipc:")
            else Web3.HTTPProvider(url, request_kwargs={"timeout": 60})
        )
        web3 = Web3(provider)
        if not web3.is_connected():
            raise LedgerUnreachableError(
                f"no Ethereum node answers at {url}; start one (a development node: anvil) or correct the address"
            )
        found = int(web3.eth.chain_id)
        if chain_id is not None and found != chain_id:
            raise WrongChainError(
                f"the node at {url} is of chain {found}, not {chain_id}; correct the address or the chain id"
            )
        super().__init__(web3, wallet, url)
        self._takes_batches = True
        client = str(web3.client_version).lower()
        self.is_development = "anvil" in client or "hardhat" in client or self.chain_id in (1337, 31337)

    def call_many(self, to: str, data: Sequence[bytes], *, block: int | None = None) -> list[bytes]:
        """Return the results of several calls, in order, in one request for each `_CALLS_A_REQUEST`.

        A node that refuses a batch is asked one by one, which names the reason. If all is well then, it takes no batches, and
        is sent none again.
        """
        if not self._takes_batches or len(data) == 1:
            return super().call_many(to, data, block=block)
        results: list[bytes] = []
        for start in range(0, len(data), _CALLS_A_REQUEST):
            asked = data[start : start + _CALLS_A_REQUEST]
            try:
                with self.web3.batch_requests() as batch:
                    for one in asked:
                        batch.add(self.web3.eth.call(self._request(to, one), "latest" if block is None else block))
                    found = [bytes(cast(Any, result)) for result in batch.execute()]
            except (ContractLogicError, TypeError, ValueError, Web3Exception) as error:
                found = super().call_many(to, asked, block=block)
                self._takes_batches = False
                log.info("The node at %s takes no batches of requests (%s); it is asked one by one", self.url, error)
                return results + found + super().call_many(to, data[start + len(asked) :], block=block)
            results.extend(found)
        return results

    def advance_past(self, timestamp: int) -> None:
        """Wait until blocks are later than `timestamp` (seconds since 1970)."""
        announced = False
        while (left := timestamp + 1 - self.now()) > 0:
            if left > 5 and not announced:
                announced = True
                log.info("\t└──> Waiting %d s for a deadline on the ledger", left)
            time.sleep(min(left, 1.0))

    def wait_for(self, ready: Callable[[], bool], *, until: int) -> bool:
        """Ask `ready` once a second until it says so, or blocks are later than `until`; return whether it did."""
        while not ready():
            if self.now() > until:
                return False
            time.sleep(1.0)
        return True

    def _gas_limit(self, to: str | None, data: bytes) -> int:
        try:
            # At the time of the next block: many calls depend on whether a deadline is over.
            return int(self.web3.eth.estimate_gas(self._request(to, data), "pending")) * 12 // 10
        except (ContractLogicError, ValueError, Web3Exception) as error:
            raise _refusal(error) from error

    def _fees(self) -> dict[str, int]:
        base = int(self.web3.eth.get_block("latest").get("baseFeePerGas", 10**9))
        return {
            "maxFeePerGas": 2 * base + MAX_PRIORITY_FEE_PER_GAS,
            "maxPriorityFeePerGas": MAX_PRIORITY_FEE_PER_GAS,
        }

    def _deliver(self, raw: bytes) -> Mapping[str, Any]:
        try:
            return super()._deliver(raw)
        except (TransactionNotFound, ValueError, Web3Exception) as error:
            self._nonce = int(self.web3.eth.get_transaction_count(cast(Any, self.wallet.address)))
            raise LedgerError(f"the node at {self.url} did not take the transaction: {error}") from error


def _refusal(error: Exception) -> ContractError:
    """Return the contract's refusal with its raw data, wherever the provider put it."""
    data = getattr(error, "data", None)
    if not isinstance(data, str) or not data.startswith("0x"):
        found = [part for part in str(error).replace("'", " ").replace('"', " ").split() if part.startswith("0x")]
        data = found[0].rstrip(",)") if found else "0x"
    return ContractError(f"the contract refused: {error}", arguments={"data": data})


def read_event(entry: Mapping[str, Any]) -> Event:
    """Return an event of a receipt or of a query for logs."""
    return Event(
        address=to_checksum_address(entry["address"]),
        topics=tuple(bytes(topic) for topic in entry["topics"]),
        data=bytes(entry["data"]),
        block=int(entry["blockNumber"]),
    )
