"""Who signs: accounts from keystore files, and throw-away accounts for simulations."""

from __future__ import annotations

import getpass
import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_account.signers.local import LocalAccount

from flwr_chainfl.crypto.commitment import keccak256
from flwr_chainfl.crypto.typed_data import Signature, TypedData
from flwr_chainfl.errors import WalletError

PASSWORD_VARIABLE = "CHAINFL_PASSWORD"
"""Environment variable that holds a keystore's password where nobody can be asked."""


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
        try:
            keystore = json.loads(file.read_text())
        except OSError as error:
            raise WalletError(
                f"key file {file} cannot be read ({error.strerror}); create one with "
                f"flwr_chainfl.crypto.Wallet.create_keystore, or correct the path"
            ) from error
        except ValueError as error:
            raise WalletError(f"key file {file} is not a keystore (JSON expected); use another file") from error
        if not isinstance(keystore, dict):
            raise WalletError(f"key file {file} is not a keystore of version 3; use another file")
        if password is None:
            password = _find_password(file)
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
        if not password:
            raise WalletError(f"an empty password does not protect {file}; choose one")
        keystore = Account.encrypt(account.key, password, iterations=iterations)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as out:
                json.dump(keystore, out)
        except OSError as error:
            raise WalletError(f"key file {file} cannot be written ({error.strerror}); choose another path") from error
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


def _find_password(file: Path) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return password
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(f"Password of {file}: ")
    raise WalletError(f"key file {file} needs a password; set the environment variable {PASSWORD_VARIABLE}")
