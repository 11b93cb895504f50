"""Who signs: accounts from keystore files, and throw-away accounts for simulations."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_account.signers.local import LocalAccount

from flwr_chainfl.crypto.commitment import keccak256
from flwr_chainfl.crypto.key_file import (
    PASSWORD_VARIABLE,
    find_password,
    read_key_file,
    require_password,
    write_key_file,
)
from flwr_chainfl.crypto.typed_data import Signature, TypedData
from flwr_chainfl.errors import WalletError


class Wallet:
    """One account and what it can do: sign statements and transactions, and derive its salts.

    The key never leaves the object: it is in no representation, log or message.
    """

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    def __repr__(self) -> str:
        return f"Wallet({self.address})"

    @property
    def address(self) -> str:
        """Checksummed address."""
        return str(self._account.address)

    @classmethod
    def from_keystore(cls, path: str | Path, password: str | None = None) -> Wallet:
        """Open an Ethereum keystore file.

        password: when None, the environment variable ``CHAINFL_PASSWORD``, and where that is not set, a prompt

        Raises WalletError when the file is missing or no keystore, or the password is missing or wrong.
        """
        file = Path(path).expanduser()
        text = read_key_file(file, create="flwr_chainfl.crypto.Wallet.create_keystore")
        try:
            keystore = json.loads(text)
        except ValueError as error:
            raise WalletError(f"key file {file} is not a keystore (JSON expected); use another file") from error
        if not isinstance(keystore, dict):
            raise WalletError(f"key file {file} is not a keystore of version 3; use another file")
        if password is None:
            password = find_password(file)
        try:
            key = Account.decrypt(keystore, password)
        except ValueError as error:
            raise WalletError(
                f"key file {file} does not open with this password; set {PASSWORD_VARIABLE} to the right one"
            ) from error
        except (KeyError, TypeError, AttributeError, NotImplementedError) as error:
            raise WalletError(f"key file {file} is not a keystore of version 3; use another file") from error
        return cls(Account.from_key(key))

    @classmethod
    def create_keystore(cls, path: str | Path, password: str, *, iterations: int | None = None) -> Wallet:
        """Make a new account and write its keystore file, readable by its owner only.

        iterations: cost of the password's key derivation; None for the library's default

        Raises WalletError when the file exists already or cannot be written.
        """
        account = Account.create()
        return cls._write(Path(path).expanduser(), account, password, iterations)

    @classmethod
    def import_keystore(
        cls, path: str | Path, private_key: bytes, password: str, *, iterations: int | None = None
    ) -> Wallet:
        """Write the keystore file of an existing key; raises WalletError as `create_keystore` does."""
        return cls._write(Path(path).expanduser(), Account.from_key(private_key), password, iterations)

    @classmethod
    def derived(cls, seed: int, name: str) -> Wallet:
        """Return the throw-away account of a simulation. Anybody who knows the seed has its key."""
        return cls(Account.from_key(keccak256(f"flwr-chainfl simulated account {seed} {name}".encode())))

    @classmethod
    def _write(cls, file: Path, account: LocalAccount, password: str, iterations: int | None) -> Wallet:
        require_password(password, file)
        keystore = Account.encrypt(account.key, password, iterations=iterations)
        write_key_file(file, json.dumps(keystore))
        return cls(account)

    def sign(self, statement: TypedData) -> Signature:
        """Sign a typed statement."""
        signed = self._account.sign_message(statement.signable())
        return Signature.from_parts(signed.r, signed.s, signed.v)

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """Sign a complete transaction and return its raw bytes."""
        return bytes(self._account.sign_transaction(cast(Any, transaction)).raw_transaction)

    def salt(self, *, chain_id: int, task: str, round_number: int) -> bytes:
        """Return this account's 32-byte salt for a round: secret without the key, the same when asked again.

        Choice: derived from the key, so that a client that restarts between commitment and reveal can still reveal.
        """
        message = f"flwr-chainfl salt {chain_id} {task} {round_number}".encode()
        return hmac.digest(bytes(self._account.key), message, "sha256")
