"""What a run of FedAlignment will cost in gas, estimated before it is spent."""

from __future__ import annotations

from dataclasses import dataclass

from flwr_chainfl.errors import GasCapError
from flwr_chainfl.ledger.average import TRANSACTION_BYTES
from flwr_chainfl.packed_vector import packed_length

# Measured, see docs/benchmarks.md, "Alignment": gas of a run's, a round's and a participant's fixed part, and of a byte of a vector.
_RUN = 255_000
_JOIN = 137_000  # and the slots that a participant's first round fills
_ROUND = 445_000
_PARTICIPANT_ROUND = 54_000
_ON_CHAIN = 390_000
_ON_CHAIN_PARTICIPANT = 108_000
_FLOOR = 40  # of a byte of calldata (EIP-7623)
_CALLDATA = 16  # of a byte of calldata, beside what is executed
_WORK = {8: 24.5, 16: 21.0, 32: 43.0}  # of a byte, executed: averaging, products, hashes
_KEPT = 206  # of a byte of the average, as contract code


@dataclass(frozen=True, kw_only=True)
class GasEstimate:
    """Gas of a run.

    parameters: of a vector; bits: of each; clients: in every round; rounds: of the run; onchain: whether the contract averages
    """

    parameters: int
    bits: int
    clients: int
    rounds: int
    onchain: bool

    @property
    def vectors(self) -> int:
        """Gas that a round's vectors cost."""
        if not self.onchain:
            return 0
        length = packed_length(self.parameters, bits=self.bits)
        size = length * self.clients
        worked = size * (_CALLDATA + _WORK[self.bits]) + length * _KEPT
        transactions = -(-size // TRANSACTION_BYTES)
        return int(max(size * _FLOOR, worked)) + 21_000 * transactions + _ON_CHAIN + _ON_CHAIN_PARTICIPANT * self.clients

    @property
    def round(self) -> int:
        """Gas of a round."""
        return _ROUND + _PARTICIPANT_ROUND * self.clients + self.vectors

    @property
    def total(self) -> int:
        """Gas of the run, joining included, deployment not."""
        return _RUN + _JOIN * self.clients + self.rounds * self.round

    def check(self, cap: int) -> None:
        """Raise GasCapError when the run costs more than `cap`."""
        if self.total > cap:
            remedy = "settle optimistically" if self.onchain else "run fewer rounds"
            raise GasCapError(
                f"the run is estimated at {self.total:,} gas ({self.rounds} rounds of {self.round:,}), above the cap of "
                f"{cap:,}; {remedy}, average fewer parameters (names=…, projection=…) or in fewer bits, or raise gas_cap"
            )
