"""ABI of the compiled contracts: encode calls, decode results, events and custom errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from flwr_chainfl.errors import ContractError, LedgerError


@dataclass(frozen=True)
class _Entry:
    """One function, event or error: its name and its inputs' and outputs' names and types."""

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    indexed: tuple[bool, ...]
    outputs: tuple[str, ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(self.types)})"


class Abi:
    """A contract's interface, from its artifact."""

    def __init__(self, artifact: dict[str, Any]) -> None:
        self.name = str(artifact["contractName"])
        self.bytecode = bytes.fromhex(artifact["bytecode"][2:])
        self.functions: dict[str, tuple[bytes, _Entry]] = {}
        self.events: dict[bytes, _Entry] = {}
        self.errors: dict[bytes, _Entry] = {}
        self._constructor: tuple[str, ...] = ()
        for item in artifact["abi"]:
            entry = _entry(item)
            hashed = keccak(text=entry.signature)
            if item["type"] == "function":
                self.functions[entry.name] = (hashed[:4], entry)
            elif item["type"] == "event":
                self.events[hashed] = entry
            elif item["type"] == "error":
                self.errors[hashed[:4]] = entry
            elif item["type"] == "constructor":
                self._constructor = entry.types

    def encode_constructor(self, arguments: tuple[Any, ...]) -> bytes:
        """Return the creation code with its arguments."""
        return self.bytecode + encode(self._constructor, arguments)

    def encode_call(self, function: str, arguments: tuple[Any, ...]) -> bytes:
        """Return a call's data."""
        selector, entry = self.functions[function]
        return selector + encode(entry.types, arguments)

    def decode_result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """Return a call's results."""
        return tuple(decode(self.functions[function][1].outputs, data))

    def decode_event(self, topics: list[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return an event's name and arguments, or None when it is not of this contract."""
        entry = self.events.get(topics[0]) if topics else None
        if entry is None:
            return None
        hashed = iter(topics[1:])
        plain = iter(decode([t for t, i in zip(entry.types, entry.indexed, strict=True) if not i], data))
        arguments = {
            name: decode([kind], next(hashed))[0] if indexed else next(plain)
            for name, kind, indexed in zip(entry.names, entry.types, entry.indexed, strict=True)
        }
        return entry.name, arguments

    def decode_error(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return a custom error's name and arguments, or None when it is not of this contract."""
        entry = self.errors.get(data[:4])
        if entry is None:
            return None
        return entry.name, dict(zip(entry.names, decode(entry.types, data[4:]), strict=True))


def _entry(item: dict[str, Any]) -> _Entry:
    inputs = item.get("inputs", [])
    return _Entry(
        name=item.get("name", ""),
        names=tuple(i["name"] for i in inputs),
        types=tuple(collapse_if_tuple(i) for i in inputs),
        indexed=tuple(bool(i.get("indexed")) for i in inputs),
        outputs=tuple(collapse_if_tuple(o) for o in item.get("outputs", [])),
    )


@cache
def load(contract: str) -> Abi:
    """Return a contract's interface from the artifacts that the package carries.

    Raises LedgerError when there is no such artifact.
    """
    file = resources.files("flwr_chainfl.ledger") / "artifacts" / f"{contract}.json"
    if not file.is_file():
        raise LedgerError(f"no compiled contract {contract!r} in this package; add it to contracts/ and run `make contracts`")
    return Abi(json.loads(file.read_text()))


def explained(refused: str, error: ContractError, *abis: Abi, remedies: Mapping[str, str] | None = None) -> ContractError:
    """Return a refusal with the name and the arguments of the contract's own error.

    refused: begins the message; abis: whose errors it may be; remedies: by name, end the message
    """
    raw = str(error.arguments.get("data", "0x"))
    data = bytes.fromhex(raw[2:]) if len(raw) % 2 == 0 else b""
    decoded = next((found for abi in abis if (found := abi.decode_error(data)) is not None), None)
    if decoded is None:
        return ContractError(f"{refused}: {error}")
    name, arguments = decoded
    listed = ", ".join(f"{key} {_shown(value)}" for key, value in arguments.items())
    remedy = f"; {remedies[name]}" if remedies is not None and name in remedies else ""
    return ContractError(f"{refused}: {name} ({listed}){remedy}", name=name, arguments=arguments)


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
