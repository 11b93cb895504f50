"""The marks that assessors gave, as scorers read them: one row an assessor, one column a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def marks_of(
    participants: Sequence[str], given: Mapping[str, Mapping[str, int]], *, reference: str
) -> list[list[int]]:
    """Return the marks of a round, in the form of `Facts.marks`.

    participants: all that acted in the round, ascending by address
    given: WAD by subject, by assessor
    reference: the address that stands for the reference, the task's own
    returns: 0 for nothing said, else 1 + the mark; a row is empty where somebody assessed nothing, else it has one mark for
    each participant and one for the reference

    >>> marks_of(["a", "b"], {"a": {"b": 7, "task": 0}}, reference="task")
    [[0, 8, 1], []]
    """
    columns = [*participants, reference]
    return [
        [1 + marks[subject] if subject in marks else 0 for subject in columns] if (marks := given.get(assessor)) else []
        for assessor in participants
    ]
