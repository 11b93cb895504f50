"""Run a Flower app with `flwr run`, on a SuperLink of its own that is stopped afterwards.

`flwr run` alone leaves a SuperLink behind and exits 0 even when the run failed. This starts one on free ports with a
private FLWR_HOME, streams the run's log, asks for the run's status, and stops what it started.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0


@dataclass(frozen=True)
class Flower:
    """A running SuperLink: the environment its commands need, its Runtime API port, and its process."""

    environment: Mapping[str, str]
    port: int
    process: subprocess.Popen[bytes]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: Flower's status (``finished:completed`` when all went well), its log, wall seconds."""

    status: str
    log: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the run completed."""
        return self.status == "finished:completed"


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def environment(home: Path) -> dict[str, str]:
    """Return the environment for Flower's commands: this Python's scripts first, a private home, no telemetry."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


@contextmanager
def superlink(home: Path, *, simulation: bool = True, cwd: Path | None = None) -> Iterator[Flower]:
    """Start a SuperLink on free ports, make it the default connection of `home`, and stop it in the end."""
    control, runtime = free_ports(2)
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "127.0.0.1:{runtime}"\ninsecure = true\n'
    )
    variables = environment(home)
    command = ["flower-superlink", "--insecure", "--host", "127.0.0.1", "--port", str(runtime),
               "--control-api-address", f"127.0.0.1:{control}", "--database", str(home / "state.db")]
    if simulation:
        command.append("--simulation")
    log_file = home / "superlink.log"
    with log_file.open("wb") as out:
        process = subprocess.Popen(command, env=variables, stdout=out, stderr=out, cwd=cwd, start_new_session=True)
    try:
        _wait_until_healthy(runtime, process, log_file)
        yield Flower(variables, runtime, process)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and what it started, by its own process group."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def run(
    flower: Flower, app: Path, *, run_config: Mapping[str, object], nodes: int | None, client_cpus: int = 1,
    total_cpus: int = 2, echo: bool = False,
) -> Outcome:
    """Run an app to its end.

    nodes: number of simulated nodes, None on a deployment; echo: whether to print the log as it comes

    Raises ValueError for a run-config key that the app does not have; Flower refuses it without naming it.
    """
    _check_keys(app, run_config)
    command = ["flwr", "run", str(app), "here", "--stream"]
    if run_config:
        command += ["--run-config", " ".join(f"{key}={_toml(value)}" for key, value in run_config.items())]
    if nodes is not None:
        sizes = f"num-supernodes={nodes} client-resources-num-cpus={client_cpus} init-args-num-cpus={total_cpus}"
        command += ["--federation-config", sizes]
    started = time.perf_counter()
    lines = []
    with subprocess.Popen(command, env=dict(flower.environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, encoding="utf-8", errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if echo:
                print(line, end="", flush=True)
    seconds = time.perf_counter() - started
    status = _last_status(flower) if process.returncode == 0 else "no run was submitted"
    return Outcome(status, "".join(lines), seconds)


def _check_keys(app: Path, run_config: Mapping[str, object]) -> None:
    with (app / "pyproject.toml").open("rb") as file:
        known = tomllib.load(file)["tool"]["flwr"]["app"].get("config", {})
    for key in run_config:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise ValueError(f"run-config key {key!r} is unknown to {app}; {hint}")


def _last_status(flower: Flower) -> str:
    answer = subprocess.run(["flwr", "list", "here", "--format", "json"], env=dict(flower.environment),
                            capture_output=True, text=True, check=False)
    try:
        runs = json.loads(answer.stdout)["runs"]
    except (ValueError, KeyError):
        return f"unknown: {answer.stdout}{answer.stderr}"
    return str(runs[0]["status"]) if runs else "no run was submitted"


def _wait_until_healthy(port: int, process: subprocess.Popen[bytes], log_file: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the SuperLink did not start:\n{log_file.read_text(errors='replace')[-2000:]}")


def _toml(value: object) -> str:
    return json.dumps(value) if isinstance(value, (str, bool, int, float)) else str(value)


def main() -> None:
    """Run an app from the command line; the exit status says how the run ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("app", type=Path)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--run-config", default="", help="as for flwr run: KEY=VALUE KEY=VALUE")
    parser.add_argument("--run-directory", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    pairs = tomllib.loads("\n".join(re.findall(r'(?:[^\s"]|"[^"]*")+', arguments.run_config)))
    pairs.setdefault("run-directory", str(arguments.run_directory.resolve()))
    try:
        _check_keys(arguments.app, pairs)
    except ValueError as error:
        sys.exit(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the SuperLink is stopped as well
    with tempfile.TemporaryDirectory(prefix="chainfl-") as home, superlink(Path(home)) as flower:
        outcome = run(flower, arguments.app, run_config=pairs, nodes=arguments.nodes, echo=True)
    if not outcome.ok:
        sys.exit(f"the run ended as {outcome.status}; the log above says why")


if __name__ == "__main__":
    main()
