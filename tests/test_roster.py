from flwr_chainfl.roster import Roster


def test_newcomers_take_the_newest_vacant_position_and_the_excluded_keep_theirs() -> None:
    roster = Roster()
    for name in "abcd":
        roster.take("ParticipantJoined", {"participant": name})
    roster.take("MemberExcluded", {"participant": "c"})
    for name in "ba":
        roster.take("ParticipantLeft", {"participant": name})
    roster.take("RoundOpened", {"round": 1})
    assert roster.active == ["d"]
    assert roster.excluded == {"c"}
    roster.take("ParticipantJoined", {"participant": "e"})
    roster.take("ParticipantJoined", {"participant": "f"})
    roster.take("ParticipantJoined", {"participant": "g"})
    assert roster.active == ["e", "f", "d", "g"]
    roster.take("ParticipantLeft", {"participant": "c"})
    roster.take("ParticipantJoined", {"participant": "c"})
    assert roster.active == ["e", "f", "c", "d", "g"]
    assert roster.excluded == set()
