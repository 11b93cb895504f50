"""Development nodes that tests start, and stop by their process."""

from __future__ import annotations

import shutil
import subprocess
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
    """Start anvil with these options on a port that it chooses, and give its address once it listens."""
    binary = anvil_binary()
    assert binary is not None, ANVIL_MISSING
    with subprocess.Popen([binary, "--port", "0", *options], stdout=subprocess.PIPE, text=True) as node:
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
