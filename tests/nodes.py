"""Development nodes that tests start, and stop by their process."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANVIL_MISSING = "anvil is missing: run npm ci"
DEV_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")  # anvil's first account


def anvil_binary() -> str | None:
    """Return anvil from the PATH or the project's node_modules, None where there is none."""
    installed = sorted(ROOT.glob("node_modules/@foundry-rs/anvil-*/bin/anvil*"))
    return shutil.which("anvil") or (str(installed[0]) if installed else None)


@contextmanager
def running_anvil(*options: str) -> Iterator[str]:
    """Start anvil with these options on a port that it chooses, and give its address once it listens.

    It keeps no past states: by itself it writes one a block to the user's home, gigabytes in a run, and leaves them there.
    """
    binary = anvil_binary()
    assert binary is not None, ANVIL_MISSING
    with subprocess.Popen([binary, "--port", "0", "--prune-history", *options], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        address = next((line.split()[-1] for line in node.stdout if line.startswith("Listening on ")), None)
        assert address is not None, "anvil ended before it listened"
        drain = threading.Thread(target=deque, args=(node.stdout, 0))
        drain.start()
        try:
            yield f"http://{address}"
        finally:
            node.terminate()
            node.wait()
            drain.join()


IPFS_NODE = ROOT / "tests" / "ipfs-node"
IPFS_MISSING = "the IPFS node is missing: run make ipfs-node (needs Node.js)"


def ipfs_installed() -> bool:
    """Whether Node.js and the pinned js-ipfs are there."""
    return shutil.which("node") is not None and (IPFS_NODE / "node_modules" / "ipfs-core").is_dir()


@contextmanager
def running_ipfs() -> Iterator[str]:
    """Start an IPFS node of its own, offline and on loopback, and give the address of its RPC."""
    assert ipfs_installed(), IPFS_MISSING
    with tempfile.TemporaryDirectory() as repository:
        command = ["node", str(IPFS_NODE / "node.mjs"), os.path.join(repository, "repo")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
            assert node.stdout is not None
            try:
                address = next((line.strip() for line in node.stdout if line.startswith("http://")), None)
                assert address is not None, "the IPFS node ended before it listened"
                yield address
            finally:
                node.kill()
