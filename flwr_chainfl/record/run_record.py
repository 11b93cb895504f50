"""run.json: written as the run goes, so that a run that breaks off leaves what it had."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from flwr_chainfl.errors import RunRecordError

TOP_LEVEL_KEYS = ("protocol", "config", "versions", "participants", "rounds", "conservation", "ledger")
"""Exactly the top-level keys of run.json; docs/run-record.md says what is under each."""

_PACKAGES = ("flwr-chainfl", "flwr", "torch", "numpy", "web3", "eth-tester", "py-evm")


class RunRecord:
    """A run directory ``<root>/<time>`` with its run.json, and ``<root>/latest`` pointing at it.

    root: made when missing

    Raises RunRecordError when the directory cannot be made or written.
    """

    def __init__(self, root: str | Path) -> None:
        base = Path(root).expanduser().resolve()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        try:
            base.mkdir(parents=True, exist_ok=True)
            self.directory = _new_folder(base, stamp)
            with tempfile.TemporaryFile(dir=self.directory):
                pass
            _point_latest(base, self.directory)
        except OSError as error:
            raise RunRecordError(
                f"run directory {base} cannot be written ({error.strerror}); choose another one (run_directory)"
            ) from error
        self.data: dict[str, Any] = {
            "protocol": "",
            "config": {},
            "versions": _versions(),
            "participants": [],
            "rounds": [],
            "conservation": {},
            "ledger": {},
        }

    def write(self) -> None:
        """Write run.json in one step: a reader never sees half of it.

        Raises RunRecordError when it cannot be written.
        """
        file = self.directory / "run.json"
        part = file.with_suffix(".part")
        try:
            part.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
            os.replace(part, file)
        except OSError as error:
            raise RunRecordError(f"{file} cannot be written ({error.strerror}); free space or change its owner") from error


def read_run(directory: str | Path) -> dict[str, Any]:
    """Return the run.json of a run directory.

    Raises RunRecordError when there is none, or its top-level keys are others.
    """
    file = Path(directory).expanduser() / "run.json"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunRecordError(f"{file} cannot be read ({error.strerror}); name the directory of a run") from error
    except ValueError as error:
        raise RunRecordError(f"{file} is no JSON ({error}); it was changed after it was written") from error
    if not isinstance(data, dict) or tuple(data) != TOP_LEVEL_KEYS:
        raise RunRecordError(f"{file} has other top-level keys than {', '.join(TOP_LEVEL_KEYS)}; it is no run record")
    return data


def _new_folder(base: Path, stamp: str) -> Path:
    for attempt in range(1000):
        folder = base / (stamp if attempt == 0 else f"{stamp}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise OSError(0, f"1000 runs within the second {stamp}")


def _point_latest(base: Path, target: Path) -> None:
    link = base / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target.name, target_is_directory=True)
    os.replace(link, base / "latest")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
