"""Who may join, through real messages: on the list, with an invitation, or neither."""


import pytest

from flwr_chainfl import AllowList, ChainStrategy, Invitations, Ledger, SampleCount, Wallet, Weights
from flwr_chainfl.admission import read_list
from flwr_chainfl.audit import audit
from flwr_chainfl.errors import ParticipationError
from tests.serverapp.federation import fedavg, federation, make_app, record_of, start

SEED = 3
INVITER = Wallet.derived(8, "inviter")
DEVICES = [Wallet.derived(SEED, f"participant {i}") for i in range(3)]


def strategy_with(directory, admission, **settings) -> ChainStrategy:
    return ChainStrategy(
        exchange=Weights(fedavg(3)), scorer=SampleCount(), run_directory=directory, admission=admission,
        **{"num_rounds": 1, "seed": SEED, "phase_timeout": 0.2, **settings},
    )  # fmt: skip


def invitation(device: Wallet, invitations: Invitations, *, deadline: int = 2**40) -> bytes:
    return invitations.invite(INVITER, device.address, chain_id=Ledger.open().chain.chain_id, deadline=deadline)


def test_a_device_that_is_not_on_the_list_is_an_event_and_the_others_go_on(tmp_path):
    allowed = [device.address for device in DEVICES[:2]]
    strategy = strategy_with(tmp_path, AllowList(allowed), num_rounds=2)
    start(strategy, federation(3), rounds=2)
    record = record_of(strategy)
    assert {p["address"] for p in record["participants"]} == set(allowed)
    for entry in record["rounds"]:
        (event,) = entry["events"]
        assert (event["kind"], event["node"], event["address"]) == ("join-refused", "1002", DEVICES[2].address)
        assert "NotInvited" in event["detail"]
        assert "ask for an invitation" in event["detail"]
        assert len(entry["contributions"]) == 2
    assert sum(int(p["paid"]) for p in record["participants"]) == 2000 * 10**18


def test_the_list_stands_in_the_store_and_the_audit_notices_when_it_was_changed(tmp_path):
    strategy = strategy_with(tmp_path, AllowList(device.address for device in DEVICES))
    start(strategy, federation(3), rounds=1)
    assert audit(strategy.run_directory) == []
    terms = record_of(strategy)["config"]["admission"]
    file = next((strategy.run_directory / "store").rglob(terms["list"]))
    listed = read_list(file.read_bytes())
    assert set(listed.addresses) == {device.address for device in DEVICES}
    assert terms["arguments"] == ["0x" + listed.arguments[0].hex()]
    file.write_bytes(AllowList(listed.addresses[:2]).document())
    assert "does not hold the content of its name" in audit(strategy.run_directory)[0].recorded


@pytest.mark.parametrize("how", ["digits", "file", "callable"])
def test_a_device_brings_its_own_invitation(tmp_path, how):
    invitations = Invitations(INVITER.address, purpose="digits")
    grid = federation(3)
    if how == "callable":
        by_device = dict(enumerate(DEVICES))
        app = make_app(3, invitation=lambda c: invitation(by_device[c.node_config["partition-id"]], invitations))
        grid = federation(3, apps=dict.fromkeys(range(2), app))
    for index in range(2) if how != "callable" else ():
        digits = "0x" + invitation(DEVICES[index], invitations).hex()
        (tmp_path / f"{index}.txt").write_text(digits)
        value = digits if how == "digits" else str(tmp_path / f"{index}.txt")
        grid.nodes[1000 + index].context.node_config["invitation"] = value
    strategy = strategy_with(tmp_path / "runs", invitations)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert {p["address"] for p in record["participants"]} == {device.address for device in DEVICES[:2]}
    (event,) = record["rounds"][0]["events"]
    assert event["node"] == "1002"
    assert "NotInvited" in event["detail"]
    assert audit(strategy.run_directory) == []


def test_invitations_that_are_late_borrowed_or_unreadable_are_events_that_say_so(tmp_path):
    invitations = Invitations(INVITER.address, purpose="digits")
    grid = federation(4)
    late = invitation(Wallet.derived(SEED, "participant 3"), invitations, deadline=1)
    values = [invitation(DEVICES[0], invitations), invitation(DEVICES[0], invitations), None, late]
    for index, value in enumerate(values):
        given = "no/such/file" if value is None else "0x" + value.hex()
        grid.nodes[1000 + index].context.node_config["invitation"] = given
    strategy = strategy_with(tmp_path, invitations)
    start(strategy, grid, rounds=1)
    events = {e["node"]: (e["kind"], e["detail"]) for e in record_of(strategy)["rounds"][0]["events"]}
    assert set(events) == {"1001", "1002", "1003"}
    assert events["1001"][0] == "join-refused"
    assert "NotInvited" in events["1001"][1]
    assert events["1002"][0] == "client-error"
    assert "invitation 'no/such/file' cannot be read" in events["1002"][1]
    assert "InvitationExpired" in events["1003"][1]


def test_a_run_to_which_nobody_is_invited_ends_with_the_reason(tmp_path):
    strategy = strategy_with(tmp_path, AllowList([INVITER.address]))
    with pytest.raises(ParticipationError, match="nobody's contribution was accepted .*NotInvited"):
        start(strategy, federation(3), rounds=1)


def test_an_invitation_that_is_too_long_to_be_one_is_not_relayed(tmp_path):
    app = make_app(3, invitation=lambda context: bytes(1025))
    strategy = strategy_with(tmp_path, Invitations(INVITER.address, purpose="digits"))
    with pytest.raises(ParticipationError, match="invitation has 1025 bytes; 1024 or fewer are possible"):
        start(strategy, federation(3, apps=dict.fromkeys(range(3), app)), rounds=1)
