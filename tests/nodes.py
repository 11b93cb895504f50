"""Development nodes that tests start, and stop by their process."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flwr_chainfl import Wallet
from flwr_chainfl.errors import LedgerUnreachableError
from flwr_chainfl.ledger import Ledger
from tools.flower_run import free_ports

ROOT = Path(__file__).resolve().parent.parent
ANVIL_MISSING = "anvil is missing: run npm ci"
DEV_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")  # anvil's first account


def anvil_binary() -> str | None:
    """Return anvil from the PATH or the project's node_modules, None where there is none."""
    local = sorted(ROOT.glob("node_modules/@foundry-rs/anvil-*/bin/anvil*"))
    return shutil.which("anvil") or (str(local[0]) if local else None)


@contextmanager
def running_anvil() -> Iterator[str]:
    """Start anvil on a free port and give its address."""
    binary = anvil_binary()
    assert binary is not None
    (port,) = free_ports(1)
    process = subprocess.Popen([binary, "--port", str(port), "--silent"], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                Ledger.open(url, wallet=Wallet.derived(0, "probe")).close()
                break
            except LedgerUnreachableError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
