"""Compile contracts/ into the artifacts that the package carries; with --check, compare instead of writing.

The compiler is a native solc of the pinned version when py-solc-x has one installed, and otherwise the pinned npm
build behind tools/solc. Both give the same bytes: the settings below fix everything that reaches the bytecode.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import solcx

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "contracts"
ARTIFACTS = ROOT / "flwr_chainfl" / "ledger" / "artifacts"
SOLC_VERSION = "0.8.37"
SETTINGS: dict[str, Any] = {
    "evmVersion": "prague",
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
BYTECODE_LIMIT = 24_576  # EIP-170
CREATION_LIMIT = 49_152  # EIP-3860
TASK = "FederatedTask"
PARTS = SOURCES.name + "/task/"  # what the task creates along with itself and runs in its own place


def compiler() -> Path:
    """Return the path of a solc of the pinned version, or exit saying how to get one."""
    if SOLC_VERSION in {str(version) for version in solcx.get_installed_solc_versions()}:
        return Path(solcx.install.get_executable(SOLC_VERSION))
    if shutil.which("node") is None:
        sys.exit("make contracts needs Node.js (>= 18): install it (Debian: apt-get install nodejs npm) and try again")
    if not (ROOT / "node_modules" / "solc").is_dir():
        sys.exit("make contracts needs the pinned npm compiler: run `npm ci` and try again")
    return ROOT / "tools" / "solc"


def compile_contracts() -> dict[str, str]:
    """Return the artifact text of each deployable contract, by file name."""
    own = sorted(path for path in SOURCES.rglob("*.sol") if path.relative_to(SOURCES).parts[0] not in ("test", "out", "cache"))
    sources = {str(path.relative_to(ROOT)): path for path in own}
    for package in ("@openzeppelin/contracts", "solady/src/utils"):
        for path in sorted((ROOT / "node_modules" / package).rglob("*.sol")):
            sources[str(path.relative_to(ROOT / "node_modules"))] = path
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"]
    wanted = {str(path.relative_to(ROOT)): {"*": outputs} for path in own}
    output = _compile(
        {
            "language": "Solidity",
            "sources": {name: {"content": path.read_text()} for name, path in _reachable(sources, own).items()},
            "settings": {**SETTINGS, "outputSelection": wanted},
        }
    )
    artifacts = {}
    parts = {}
    for source, contracts in output["contracts"].items():
        for name, contract in contracts.items():
            bytecode = contract["evm"]["bytecode"]["object"]
            if not bytecode or "/libraries/" in source:
                continue
            _check_size(name, contract)
            if source.startswith(PARTS):
                parts[name] = contract
                continue
            artifacts[f"{name}.json"] = {"contractName": name, "compiler": SOLC_VERSION, "abi": contract["abi"],
                                         "bytecode": "0x" + bytecode}
    task = output["contracts"][f"{SOURCES.name}/{TASK}.sol"][TASK]
    for name, part in parts.items():
        if _layout(part) != _layout(task):
            sys.exit(f"{name} and {TASK} differ in what they store where; declare all state in task/TaskState.sol")
        artifacts[f"{TASK}.json"]["abi"] = _joined(artifacts[f"{TASK}.json"]["abi"], part["abi"])
    return {name: json.dumps(artifact, indent=1, sort_keys=True) + "\n" for name, artifact in artifacts.items()}


def _check_size(name: str, contract: dict[str, Any]) -> None:
    size = len(contract["evm"]["deployedBytecode"]["object"]) // 2
    if size > BYTECODE_LIMIT:
        sys.exit(f"{name} has {size} bytes of code, above the limit of {BYTECODE_LIMIT} (EIP-170)")
    creation = len(contract["evm"]["bytecode"]["object"]) // 2 + _argument_bytes(contract["abi"])
    if creation > CREATION_LIMIT:
        sys.exit(f"{name} takes {creation} bytes to create, above the limit of {CREATION_LIMIT} (EIP-3860)")
    print(f"{name}: {size} bytes, {creation} to create")


def _argument_bytes(abi: list[dict[str, Any]]) -> int:
    """Return how many bytes a constructor's arguments take, lists and texts at their least."""
    inputs = [one for entry in abi if entry["type"] == "constructor" for one in entry["inputs"]]
    return 32 * sum(len(one.get("components", [one])) for one in inputs)


def _layout(contract: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(v["label"], v["slot"], v["offset"], v["type"]) for v in contract["storageLayout"]["storage"]]


def _joined(whole: list[dict[str, Any]], part: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the interface of a contract with a part: the part knows its functions' parameters by name."""
    entries = {_signature(entry): entry for entry in whole}
    entries |= {_signature(entry): entry for entry in part if entry["type"] != "constructor"}
    return [entries[key] for key in sorted(entries)]


def _signature(entry: dict[str, Any]) -> tuple[str, ...]:
    return (entry["type"], entry.get("name", ""), *(parameter["type"] for parameter in entry.get("inputs", [])))


def _compile(request: dict[str, Any]) -> dict[str, Any]:
    """Run the compiler; its messages go to standard error, an error ends the program."""
    try:
        output: dict[str, Any] = solcx.compile_standard(request, solc_binary=compiler())
        messages = output.get("errors", [])
    except solcx.exceptions.SolcError as error:
        messages = json.loads(error.stdout_data or "{}").get("errors", [])
    for message in messages:
        if message["severity"] == "error" or message.get("sourceLocation", {}).get("file", "").startswith("contracts/"):
            print(message["formattedMessage"], file=sys.stderr)
    if any(message["severity"] == "error" for message in messages):
        sys.exit(1)
    return output


def _reachable(sources: dict[str, Path], roots: list[Path]) -> dict[str, Path]:
    """Keep the sources that the roots import, directly or not."""
    kept: dict[str, Path] = {}
    queue = [str(path.relative_to(ROOT)) for path in roots]
    while queue:
        name = queue.pop()
        if name in kept:
            continue
        kept[name] = sources[name]
        for line in sources[name].read_text().splitlines():
            if line.startswith(("import ", "} from ")):
                target = line.split('"')[1] if '"' in line else line.split("'")[1]
                if target.startswith("."):
                    target = _resolve(name, target)
                queue.append(target)
    return kept


def _resolve(importer: str, target: str) -> str:
    parts = importer.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def main() -> None:
    """Write the artifacts, or with --check exit 1 where one differs."""
    artifacts = compile_contracts()
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in artifacts.items()
                 if not (ARTIFACTS / name).is_file() or (ARTIFACTS / name).read_text() != text]
        stale += [path.name for path in ARTIFACTS.glob("*.json") if path.name not in artifacts]
        if stale:
            sys.exit(f"artifacts differ from contracts/: {', '.join(sorted(stale))}; run `make contracts` and commit")
        print("artifacts equal contracts/, byte for byte")
        return
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, text in artifacts.items():
        (ARTIFACTS / name).write_text(text)


if __name__ == "__main__":
    main()
