"""Key files: readable by their owner only, locked with a password that is asked for in one place."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from flwr_chainfl.errors import WalletError

PASSWORD_VARIABLE = "CHAINFL_PASSWORD"
"""Environment variable that holds the password of key files where nobody can be asked."""


def find_password(file: Path) -> str:
    """Return the password of a key file from the environment or a prompt; raises WalletError where there is neither."""
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return password
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(f"Password of {file}: ")
    raise WalletError(f"key file {file} needs a password; set the environment variable {PASSWORD_VARIABLE}")


def require_password(password: str, file: Path) -> None:
    """Raise WalletError for an empty password."""
    if not password:
        raise WalletError(f"an empty password does not protect {file}; choose one")


def read_key_file(file: Path, *, create: str) -> str:
    """Return the text of a key file.

    create: the call that makes one, for the error

    Raises WalletError when it cannot be read.
    """
    try:
        return file.read_text(errors="replace")  # what is no text is no key file, which the caller says
    except OSError as error:
        raise WalletError(
            f"key file {file} cannot be read ({error.strerror}); create one with {create}, or correct the path"
        ) from error


def write_key_file(file: Path, text: str) -> None:
    """Write a new file that only its owner can read; raises WalletError when it exists or cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
    except OSError as error:
        raise WalletError(f"key file {file} cannot be written ({error.strerror}); choose another path") from error
