"""Opening a ledger and deploying tasks on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_utils.address import is_address, to_checksum_address

from flwr_chainfl.crypto import Domain, Wallet
from flwr_chainfl.errors import ConfigError, ContractError, LedgerError, LedgerLogError
from flwr_chainfl.ledger.abi import explained, load
from flwr_chainfl.ledger.chain import Chain, Receipt, RpcChain
from flwr_chainfl.ledger.gate import Gate
from flwr_chainfl.ledger.keys import Keys
from flwr_chainfl.ledger.randomness import Randomness
from flwr_chainfl.ledger.registry import Registry
from flwr_chainfl.ledger.task import Settings, Task, settings_tuple

_MAX_ALLOWANCE = 2**256 - 1


class Ledger:
    """A chain with the contracts of this package.

    Open one with `Ledger.open`.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    @classmethod
    def open(
        cls,
        url: str = "embedded",
        *,
        wallet: Wallet | None = None,
        chain_id: int | None = None,
        log_file: str | Path | None = None,
        seed: int = 0,
    ) -> Ledger:
        """Open a ledger.

        url: ``embedded`` for an EVM in this process, or the RPC address of a node (``http://…``, ``ipc:PATH``)
        wallet: the account that sends the transactions; needed for a node, derived from `seed` when embedded
        chain_id: the chain that is meant, for a node; another one is an error
        log_file: of an embedded ledger, where its transactions are kept; an existing one is replayed

        Raises ConfigError, LedgerUnreachableError, WrongChainError, LedgerLogError.
        """
        if url == "embedded":
            from flwr_chainfl.ledger.embedded import EmbeddedChain

            path = Path(log_file) if log_file is not None else None
            return cls(EmbeddedChain(wallet or Wallet.derived(seed, "requester"), path))
        if not url.startswith(("http://", "https://", "ipc:")):
            raise ConfigError(
                f"ledger {url!r} is no ledger address; use 'embedded', 'http://HOST:PORT' or 'ipc:PATH'"
            )
        if wallet is None:
            raise ConfigError(
                f"the ledger at {url} needs an account to pay for transactions; pass wallet="
                f"Wallet.from_keystore(PATH)"
            )
        return cls(RpcChain(url, wallet, chain_id=chain_id))

    @classmethod
    def read(cls, url: str, *, log_file: str | Path | None = None) -> Ledger:
        """Open a ledger to look at it: an embedded one by replaying its log, a node by its RPC address.

        Raises LedgerLogError, LedgerUnreachableError, ConfigError.
        """
        reader = Wallet.derived(0, "reader")
        if url != "embedded":
            return cls.open(url, wallet=reader)
        from flwr_chainfl.ledger.embedded import EmbeddedChain

        if log_file is None or not Path(log_file).is_file():
            raise LedgerLogError(f"no ledger log at {log_file}; an embedded ledger is read from its log")
        return cls(EmbeddedChain(reader, Path(log_file), read_only=True))

    @property
    def is_development(self) -> bool:
        """Whether nothing on this ledger is worth anything: embedded, or a development node."""
        return self.chain.is_development

    def deploy(self, contract: str, arguments: tuple[Any, ...] = ()) -> str:
        """Deploy one of the package's contracts and return its checksummed address."""
        receipt = self._deploy(contract, arguments)
        assert receipt.contract is not None
        return receipt.contract

    def deploy_token(self) -> str:
        """Deploy a test token, worth nothing, which this ledger's account mints; return its address."""
        return self.deploy("TestToken")

    def deploy_task(self, settings: Settings) -> Task:
        """Deploy a task with this ledger's account as requester, which also lets it take its deposits."""
        receipt = self._deploy("FederatedTask", (settings_tuple(settings),))
        assert receipt.contract is not None
        task = Task(self.chain, receipt.contract, from_block=receipt.block)
        token = load("TestToken")
        self.chain.send(settings.token, token.encode_call("approve", (task.address, _MAX_ALLOWANCE)))
        return task

    def deploy_registry(self) -> Registry:
        """Deploy a registry of reputations with this ledger's account as owner."""
        return Registry(self.chain, self.deploy("Reputation"))

    def registry(self, address: str) -> Registry:
        """Return the client of a registry of reputations that is there already.

        Raises LedgerError when there is no contract at the address.
        """
        self._require_contract(address)
        return Registry(self.chain, address)

    def deploy_keys(self) -> Keys:
        """Deploy a registry of participants' keys, in which everybody enters its own."""
        return Keys(self.chain, self.deploy("KeyRegistry"))

    def keys(self, address: str) -> Keys:
        """Return the client of a registry of keys that is there already.

        Raises LedgerError when there is no contract at the address.
        """
        self._require_contract(address)
        return Keys(self.chain, address)

    def deploy_vrf(
        self,
        coordinator: str,
        *,
        key_hash: bytes,
        subscription: int,
        confirmations: int = 3,
        callback_gas: int = 100_000,
        native_payment: bool = False,
    ) -> Randomness:
        """Deploy a source of random words with this ledger's account as owner.

        Add its address to the subscription's consumers before the first round.

        coordinator: address of Chainlink's VRF v2.5 coordinator of this chain; key_hash: 32 bytes, names its key and the
        highest gas price; subscription: who pays; confirmations: blocks that the coordinator waits; callback_gas: gas
        for its answer; native_payment: whether the subscription pays in the chain's own currency rather than in LINK
        """
        self._require_contract(coordinator)
        parameters = (key_hash, subscription, confirmations, callback_gas, native_payment)
        return Randomness(self.chain, self.deploy("VRFRandomness", (coordinator, parameters)))

    def randomness(self, address: str) -> Randomness:
        """Return the client of a source of random words that is there already.

        Raises LedgerError when there is no contract at the address.
        """
        self._require_contract(address)
        return Randomness(self.chain, address)

    def gate(self, address: str) -> Gate:
        """Return the client of the contract that decides who may join.

        Raises LedgerError when there is no contract at the address.
        """
        self._require_contract(address)
        return Gate(self.chain, address)

    def task(self, address: str, *, from_block: int = 0) -> Task:
        """Return the client of a task that is there already.

        Raises LedgerError when there is no contract at the address.
        """
        self._require_contract(address)
        return Task(self.chain, address, from_block=from_block)

    def mint(self, token: str, recipients: Sequence[str], amount: int) -> Receipt:
        """Create `amount` units of a test token for each recipient; its minter only."""
        return self.chain.send(token, load("TestToken").encode_call("mint", (list(recipients), amount)))

    def token_balance(self, token: str, owner: str) -> int:
        """Return how many token units an owner has."""
        return int(self._token_view(token, "balanceOf", owner)[0])

    def token_nonce(self, token: str, owner: str) -> int:
        """Return the nonce of an owner's next permit."""
        return int(self._token_view(token, "nonces", owner)[0])

    def token_domain(self, token: str) -> Domain:
        """Return the EIP-712 domain of a token's permits."""
        _, name, version, chain_id, contract, _, _ = self._token_view(token, "eip712Domain")
        return Domain(name=name, version=version, chain_id=chain_id, contract=to_checksum_address(contract))

    def close(self) -> None:
        """Let go of what the ledger holds open."""
        self.chain.close()

    def _require_contract(self, address: str) -> None:
        if not is_address(address) or not self.chain.has_code(to_checksum_address(address)):
            raise LedgerError(f"no contract at {address} on chain {self.chain.chain_id}; correct the address or the chain")

    def _deploy(self, contract: str, arguments: tuple[Any, ...]) -> Receipt:
        abi = load(contract)
        try:
            return self.chain.send(None, abi.encode_constructor(arguments))
        except ContractError as error:
            raise explained(f"{contract} cannot be deployed", error, abi) from error

    def _token_view(self, token: str, function: str, *arguments: Any) -> tuple[Any, ...]:
        abi = load("TestToken")
        return abi.decode_result(function, self.chain.call(token, abi.encode_call(function, arguments)))
