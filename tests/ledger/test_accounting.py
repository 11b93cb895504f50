from flwr_chainfl.ledger.accounting import conservation

REQUESTER, MEMBER = "0xR", "0xM"


def test_money_is_booked_where_the_events_say() -> None:
    totals = conservation(
        [
            ("TaskInitialized", {"pool": 100}),
            ("TaskExtended", {"pool": 20}),
            ("ParticipantJoined", {"stake": 30}),
            ("BondDeposited", {"amount": 5}),
            ("ScoresPosted", {}),
            ("MissingRevealSlashed", {"amount": 2}),
            ("Receipt", {"payout": 40, "slashed": 3}),
            ("Withdrawn", {"owner": MEMBER, "amount": 65}),
            ("Withdrawn", {"owner": REQUESTER, "amount": 10}),
        ],
        requester=REQUESTER,
        locked=80,
    )
    assert (totals.deposited, totals.paid, totals.slashed) == (155, 40, 5)
    assert (totals.withdrawn, totals.refunded, totals.locked, totals.dust) == (65, 10, 80, 0)


def test_money_that_vanished_or_appeared_is_dust() -> None:
    events = [("TaskInitialized", {"pool": 100})]
    assert conservation(events, requester=REQUESTER, locked=99).dust == 1
    assert conservation(events, requester=REQUESTER, locked=101).dust == -1
