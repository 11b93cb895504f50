"""Scores an update by how far it points where the others' do; twin of contracts/scorers/AlignmentScorer.sol."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isqrt

from flwr_chainfl.errors import ConfigError, VectorError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.packed_vector import (
    LANE_BITS,
    UNIT,
    Lanes,
    average_remainder,
    dot,
    packed_length,
    unpack,
    weighted_average,
)
from flwr_chainfl.rewards.split import split
from flwr_chainfl.scoring.scorer import Facts, Scored

MOST_PARAMETERS = 2**24
LONGEST_UNIT = 32_768
REPORT_LENGTH = 48
_PLACES = 20  # binary, that a square root keeps
_ENTRY = 40  # bytes of a fairness factor: root and factor
_FACTORS = (WAD // 2, 2 * WAD)


@dataclass(frozen=True)
class VectorReport:
    """What is committed to of an update: its samples, the step that an integer of 1 stands for, the root of its tree."""

    samples: int
    step: float
    root: bytes

    def pack(self) -> bytes:
        """Return the report, 48 bytes.

        Raises VectorError for a number of samples that is not from 0 to 2^63 − 1.
        """
        if not 0 <= self.samples < 2**63:
            raise VectorError(f"an update is said to come from {self.samples} samples; 0 to 2^63 − 1 are possible")
        return struct.pack(">Qd32s", self.samples, self.step, self.root)

    @classmethod
    def unpack(cls, report: bytes) -> VectorReport:
        """Return what a report says; raises VectorError when it is none."""
        if len(report) != REPORT_LENGTH:
            raise VectorError(f"the report of an update has {len(report)} bytes; {REPORT_LENGTH} are needed")
        return cls(*struct.unpack(">Qd32s", report))


@dataclass(frozen=True)
class Sums:
    """What a round's updates add up to: all that their scores rest on.

    average: lanes; norm: its sum of squares; places: of the reports that have a part; weights: parts of `UNIT`;
    dots, norms: with the average, and of squares
    """

    average: Lanes
    norm: int
    places: list[int]
    weights: list[int]
    dots: list[int]
    norms: list[int]


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Score by the alignment of an update with the average of the others.

    parameters: of a vector; bits: of each, 8, 16 or 32; unit: bytes of a unit of its tree; window: seconds to answer a
    demand or to refute a claim on chain; cosine: whether lengths are divided out, else whoever sends a longer update earns
    more; leave_one_out: whether an update is compared with the others alone, else also with itself; accuracy: whether
    scores are scaled by the accuracy that assessors give an update, over the best one's

    An update that points where most do is paid, whatever it is worth: a majority that colludes sets the direction, and one
    whose data are rare scores low. Scores need the updates themselves, besides the reports: `learn` takes them.

    With `accuracy`, an update counts by the plain mean of its marks, and nobody marks its own. Who gives all others 0 lowers their
    means and not its own: among n assessors that all contribute it earns up to (n − 1)/(n − 2) times as much against them.

    Source: docs/protocols/alignment.md; Wu and Seneviratne, arXiv 2502.14170.
    Choice: the cosine with the others' average, since the paper's dot product pays for inflation and for oneself.
    """

    parameters: int
    bits: int = 16
    unit: int = 1536
    window: int = 60
    cosine: bool = True
    leave_one_out: bool = True
    accuracy: bool = False
    _known: dict[bytes, Lanes] = field(default_factory=dict, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        if self.bits not in LANE_BITS:
            raise ConfigError(f"a parameter has {self.bits} bits; 8, 16 and 32 are possible")
        if not 1 <= self.parameters <= MOST_PARAMETERS:
            raise ConfigError(f"a vector has {self.parameters} parameters; 1 to {MOST_PARAMETERS} are possible")
        if not 32 <= self.unit <= LONGEST_UNIT or self.unit % 32:
            raise ConfigError(f"a unit has {self.unit} bytes; multiples of 32 up to {LONGEST_UNIT} are possible")
        if self.window < 1:
            raise ConfigError(f"the window is {self.window} s; 1 or more is needed")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "AlignmentScorer"

    @property
    def arguments(self) -> tuple[int, int, int, int, bool, bool, bool]:
        """The twin contract's constructor arguments."""
        return (self.bits, self.parameters, self.unit, self.window, self.cosine, self.leave_one_out, self.accuracy)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "Alignment/1"

    @property
    def report_kind(self) -> str:
        """A report commits to an update as a packed vector."""
        return "vectors"

    @property
    def length(self) -> int:
        """Bytes of a packed vector."""
        return packed_length(self.parameters, bits=self.bits)

    def learn(self, root: bytes, content: bytes) -> None:
        """Take an update, by the root that its report has; it is forgotten with the next round's.

        Raises VectorError when it is no vector of this task.
        """
        self._known[root] = unpack(content, parameters=self.parameters, bits=self.bits)

    def forget(self) -> None:
        """Forget the updates."""
        self._known.clear()

    def sums(self, reports: Sequence[bytes], samples: Sequence[int]) -> Sums | None:
        """Return what the updates of these reports add up to; None when none of them has a part.

        samples: declared at joining
        """
        places, weights, vectors = self._parts(reports, samples)
        if not places:
            return None
        average = weighted_average(vectors, weights)
        return Sums(
            average, dot(average, average), places, weights,
            [dot(vector, average) for vector in vectors], [dot(vector, vector) for vector in vectors],
        )

    def remainder(self, reports: Sequence[bytes], samples: Sequence[int]) -> Lanes | None:
        """Return what the average of these reports' updates was rounded by, in parts of `UNIT`; None when none has a part."""
        places, weights, vectors = self._parts(reports, samples)
        return average_remainder(vectors, weights) if places else None

    def _parts(self, reports: Sequence[bytes], samples: Sequence[int]) -> tuple[list[int], list[int], list[Lanes]]:
        """Return the places of the reports that have a part, their weights and their updates."""
        read = [self._usable(report, declared) for report, declared in zip(reports, samples, strict=True)]
        weights = split(UNIT, [one.samples if one is not None else 0 for one in read])
        places = [place for place, weight in enumerate(weights) if weight]
        vectors = [self._known[one.root] for place in places if (one := read[place]) is not None]
        return places, [weights[place] for place in places], vectors

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score reports of 48 bytes; one that is malformed, above its declaration, or of an unknown update has 0 of both."""
        scored = Scored([0] * len(reports), [0] * len(reports), _notes(reports, facts.samples))
        sums = self.sums(reports, facts.samples)
        if sums is None:
            return scored
        for place, weight, product, norm in zip(sums.places, sums.weights, sums.dots, sums.norms, strict=True):
            scored.scores[place], scored.qualities[place] = self.align(product, norm, sums.norm, weight)
        if self.accuracy:
            _scale_by_marks(scored.scores, facts.marks)
        scale_by_factors(scored.scores, reports, facts.calibration)
        return scored

    def align(self, p: int, q: int, r: int, weight: int) -> tuple[int, int]:
        """Return the score and the quality of one update.

        p: its dot product with the average; q, r: sums of squares, of the update and of the average; weight: parts of UNIT
        returns: WAD; the score from −1 to 1 times the share of the samples, the quality from 0 to 1
        """
        product, norm, others = UNIT * p, UNIT * UNIT * r, UNIT
        if self.leave_one_out:
            product -= weight * q
            norm += weight * weight * q - 2 * UNIT * weight * p
            others -= weight
        root = isqrt((q * norm) << 2 * _PLACES)
        cosine = min(WAD, (abs(product) << _PLACES) * WAD // root) if root else 0
        if self.cosine:
            points = cosine * weight // UNIT
        elif others:
            largest = self.parameters << 2 * (self.bits - 1)
            points = abs(product) * weight * WAD // (others * UNIT * largest)
        else:
            points = 0
        return (-points, 0) if product < 0 else (points, cosine if product > 0 else 0)

    def _usable(self, report: bytes, declared: int) -> VectorReport | None:
        if len(report) != REPORT_LENGTH:
            return None
        read = VectorReport.unpack(report)
        return read if read.samples <= declared and read.root in self._known else None


def pack_factors(table: bytes, factors: Sequence[tuple[bytes, int]]) -> bytes:
    """Return fairness factors as a round's calibration.

    table: digest of the document that they are from, 32 bytes; factors: root of an update, and WAD from 0.5 to 2
    """
    return table + b"".join(root + factor.to_bytes(8, "big") for root, factor in factors)


def unpack_factors(calibration: bytes) -> tuple[bytes, list[tuple[bytes, int]]] | None:
    """Return the digest of the table, and roots with factors (WAD, 0.5 to 2); None when it is no list of factors."""
    if len(calibration) < 32 or (len(calibration) - 32) % _ENTRY:
        return None
    factors = []
    for start in range(32, len(calibration), _ENTRY):
        root, factor = calibration[start : start + 32], int.from_bytes(calibration[start + 32 : start + _ENTRY], "big")
        factors.append((root, max(_FACTORS[0], min(_FACTORS[1], factor))))
    return calibration[:32], factors


def scale_by_factors(scores: list[int], reports: Sequence[bytes], calibration: bytes) -> None:
    """Multiply positive scores by their updates' fairness factors, in place; an update without one keeps its score."""
    found = unpack_factors(calibration)
    if found is None or not found[1]:
        return
    entries, following = found[1], 0
    for i, (score, report) in enumerate(zip(scores, reports, strict=True)):
        if score <= 0:
            continue
        for tried in range(len(entries)):  # from the last one found on, as the contract does: of two for one root, the next
            place = (following + tried) % len(entries)
            if entries[place][0] == report[16:]:
                scores[i] = score * entries[place][1] // WAD
                following = place + 1
                break


def _notes(reports: Sequence[bytes], samples: Sequence[int]) -> tuple[tuple[str, str], ...]:
    """Return which updates have no part since they claim too many samples, kind and text."""
    claimed = [VectorReport.unpack(report).samples if len(report) == REPORT_LENGTH else 0 for report in reports]
    return tuple(
        ("samples-above-declared",
         (f"an update is said to come from {claim} samples, and its author declared {declared} when it joined; it has no part in "
          f"the average and scores 0"))
        for claim, declared in zip(claimed, samples, strict=True) if claim > declared
    )  # fmt: skip


def _scale_by_marks(scores: list[int], marks: Sequence[Sequence[int]]) -> None:
    """Scale positive scores by the mean of an update's marks over the best mean; without any marks, by nothing."""
    means = []
    for j in range(len(scores)):
        given = [row[j] - 1 for row in marks if len(row) > j and row[j]]
        means.append(sum(given) // len(given) if given else 0)
    best = max(means, default=0)
    if best:
        scores[:] = [score * mean // best if score > 0 else score for score, mean in zip(scores, means, strict=True)]

