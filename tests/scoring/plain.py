"""The formulas of both peer truth serums, label by label, as the protocol's page words them."""

from collections.abc import Sequence

WAD, MICRO = 10**18, 10**6


def serum(reports: Sequence[Sequence[int]], weights: Sequence[int], classes: int) -> list[int]:
    n, tasks = len(reports), len(reports[0])
    scores = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        peers = sum(weights[j] for j in others)
        if n < 3 or peers == 0:
            scores.append(0)
            continue
        total = 0
        for k in range(classes):
            agreed = sum(weights[j] for t in range(tasks) if reports[i][t] == k for j in others if reports[j][t] == k)
            reported = sum(weights[j] for j in others for t in range(tasks) if reports[j][t] == k)
            total += agreed * (tasks + classes) * WAD // ((reported + peers) * tasks)
        scores.append(total - WAD)
    return scores


def vote(reports: Sequence[Sequence[int]], weights: Sequence[int], classes: int) -> list[int]:
    winners = []
    for t in range(len(reports[0])):
        votes = [sum(w for w, report in zip(weights, reports, strict=True) if report[t] == k) for k in range(classes)]
        winners.append(next(k for k in ((t + turn) % classes for turn in range(classes)) if votes[k] == max(votes)))
    return winners


def is_usable(report: bytes, classes: int, tasks: int) -> bool:
    return len(report) == tasks and all(label < classes for label in report)


def passes(report: bytes, calibration: bytes, classes: int, deviations: int) -> bool:
    items = hits = 0
    for start in range(0, len(calibration) - 2, 3):
        position, label = int.from_bytes(calibration[start : start + 2], "big"), calibration[start + 2]
        if position < len(report) and label < classes:
            items += 1
            hits += report[position] == label
    return hits * classes > items and (hits * classes - items) ** 2 > deviations**2 * items * (classes - 1)


def unweighted(reports: Sequence[bytes], classes: int, tasks: int) -> tuple[list[int], list[int]]:
    """Return scores and qualities."""
    counted = [i for i, report in enumerate(reports) if is_usable(report, classes, tasks)]
    return _spread(reports, counted, lambda some: (serum(some, [1] * len(some), classes), [1] * len(some)), classes)


def weighted(
    reports: Sequence[bytes], classes: int, tasks: int, calibration: bytes, deviations: int
) -> tuple[list[int], list[int]]:
    """Return scores and qualities."""
    formed = [i for i, report in enumerate(reports) if is_usable(report, classes, tasks)]
    counted = [i for i in formed if passes(reports[i], calibration, classes, deviations)] or formed

    def score(some: Sequence[bytes]) -> tuple[list[int], list[int]]:
        votes = [max(0, tau) // 10**12 for tau in serum(some, [1] * len(some), classes)]
        votes = votes if any(votes) else [1] * len(some)
        labels = vote(some, votes, classes)
        weights = []
        for report in some:
            surplus = classes * sum(x == z for x, z in zip(report, labels, strict=True)) - tasks
            weights.append(surplus * MICRO // ((classes - 1) * tasks) if surplus > 0 else 0)
        return serum(some, weights, classes), votes

    return _spread(reports, counted, score, classes)


def _spread(reports, counted, score, classes):  # type: ignore[no-untyped-def]
    scores, qualities = [0] * len(reports), [0] * len(reports)
    some = [reports[i] for i in counted]
    if some:
        found, votes = score(some)
        labels = vote(some, votes, classes)
        for i, value in zip(counted, found, strict=True):
            agreed = sum(x == z for x, z in zip(reports[i], labels, strict=True))
            scores[i], qualities[i] = value, agreed * WAD // len(labels)
    return scores, qualities
