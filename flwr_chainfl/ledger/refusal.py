"""What a contract's refusal says: its own error's name and arguments, in words."""

from __future__ import annotations

from collections.abc import Mapping

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger.abi import Abi


def explained(error: ContractError, what: str, *abis: Abi, remedies: Mapping[str, str] | None = None) -> ContractError:
    """Return a refusal with the custom error that its raw data stand for, where one of the interfaces knows it.

    error: with the raw revert data in `arguments["data"]`; what: who refused what, such as "FederatedTask refused commit"
    remedies: by the error's name
    """
    raw = str(error.arguments.get("data", "0x"))
    data = bytes.fromhex(raw[2:]) if len(raw) % 2 == 0 else b""
    decoded = next((found for abi in abis if (found := abi.decode_error(data)) is not None), None)
    if decoded is None:
        return ContractError(f"{what}: {error}", arguments=error.arguments)
    name, arguments = decoded
    listed = ", ".join(f"{key} {_shown(value)}" for key, value in arguments.items())
    remedy = f"; {remedies[name]}" if remedies is not None and name in remedies else ""
    return ContractError(f"{what}: {name} ({listed}){remedy}", name=name, arguments=arguments)


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
