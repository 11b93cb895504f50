"""A contract at an address: its functions by name, its own errors explained, its events decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger.abi import explained, load
from flwr_chainfl.ledger.chain import Chain, Event, Receipt


class Contract:
    """A compiled contract of this package, which the typed clients are made of.

    name: of the artifact; address: checksummed; remedies: by the error's name; asks: artifacts of contracts that this one
    calls, whose errors come through it
    """

    def __init__(
        self, chain: Chain, address: str, name: str, *, remedies: Mapping[str, str], asks: Iterable[str] = ()
    ) -> None:
        self.abi = load(name)
        self._refusing = (self.abi, *(load(other) for other in asks))
        self._chain = chain
        self._address = address
        self._name = name
        self._remedies = remedies

    def send(self, function: str, *arguments: Any) -> Receipt:
        """Send a transaction; raises ContractError, with the name of the contract's error, when it is refused."""
        try:
            return self._chain.send(self._address, self.abi.encode_call(function, arguments))
        except ContractError as error:
            raise self._explained(function, error) from error

    def view(self, function: str, *arguments: Any, block: int | None = None) -> tuple[Any, ...]:
        """Return a call's results; raises ContractError, with the name of the contract's error, when it is refused.

        block: in whose state; the newest when left out
        """
        return self.views(function, [arguments], block=block)[0]

    def views(
        self, function: str, calls: Iterable[tuple[Any, ...]], *, block: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the results of one function for each of several arguments, in few requests; raises as `view` does."""
        data = [self.abi.encode_call(function, arguments) for arguments in calls]
        try:
            found = self._chain.call_many(self._address, data, block=block)
        except ContractError as error:
            raise self._explained(function, error) from error
        return [self.abi.decode_result(function, one) for one in found]

    def decoded(self, events: Iterable[Event]) -> Iterator[tuple[Event, str, dict[str, Any]]]:
        """Yield the contract's own among some events, each with its name and its arguments."""
        for event in events:
            found = self.abi.decode_event(list(event.topics), event.data)
            if found is not None:
                yield event, *found

    def _explained(self, function: str, error: ContractError) -> ContractError:
        return explained(f"{self._name} refused {function}", error, *self._refusing, remedies=self._remedies)
