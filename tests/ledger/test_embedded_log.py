import json
import logging
from pathlib import Path

import pytest

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ContractError, LedgerLogError
from flwr_chainfl.ledger import Chain, Ledger
from tests.federation import Federation


def _play(log: Path) -> Federation:
    """Play a round on a new ledger, with a refused transaction and moves of the clock."""
    federation = Federation(Ledger.open(log_file=log), participants=3).run()
    reports = federation.reports()
    federation.commit(1, reports)
    with pytest.raises(ContractError):
        federation.task.complete()
    federation.reveal(1, reports)
    federation.pay(1, reports)
    return federation


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    federation = _play(tmp_path_factory.mktemp("played") / "ledger.jsonl")
    federation.ledger.close()
    return federation


@pytest.fixture
def log(played: Federation, tmp_path: Path) -> Path:
    copy = tmp_path / "ledger.jsonl"
    copy.write_bytes(played.ledger.chain.log_file.read_bytes())
    return copy


def _root_and_digest(ledger: Ledger, task: str) -> tuple[str, str]:
    return ledger.chain.state_root(), ledger.task(task).digest()


def test_a_reopened_log_has_the_same_state_and_history(played: Federation, log: Path) -> None:
    expected = _root_and_digest(played.ledger, played.task.address)
    ledger = Ledger.open(log_file=log)
    assert _root_and_digest(ledger, played.task.address) == expected
    assert ledger.chain.now() == played.ledger.chain.now()
    ledger.close()


def test_a_reopened_log_has_the_same_blocks(played: Federation, log: Path) -> None:
    ledger = Ledger.read("embedded", log_file=log)
    expected, found = (one.chain.web3.eth.get_block("latest") for one in (played.ledger, ledger))
    assert (found["number"], found["hash"]) == (expected["number"], expected["hash"])


def test_events_are_those_that_a_query_of_the_chain_finds(played: Federation, log: Path) -> None:
    ledger = Ledger.read("embedded", log_file=log)
    for address in (played.task.address, played.token):
        found = ledger.chain.events(address)
        assert found == Chain.events(ledger.chain, address)
        assert ledger.chain.events(address, from_block=found[-1].block) == [e for e in found if e.block == found[-1].block]


def test_opening_adds_nothing_to_a_log(log: Path) -> None:
    before = log.read_bytes()
    Ledger.open(log_file=log).close()
    assert log.read_bytes() == before


def test_a_reopened_log_goes_on_and_replays_again(played: Federation, log: Path) -> None:
    ledger = Ledger.open(log_file=log)
    task = ledger.task(played.task.address)
    task.next_round()
    ledger.chain.advance_past(task.round(2).settle_deadline)
    task.void_round(2)
    expected = _root_and_digest(ledger, task.address)
    ledger.close()
    again = Ledger.open(log_file=log)
    assert _root_and_digest(again, task.address) == expected
    assert expected[1] != played.task.digest()
    again.close()


def test_two_runs_of_the_same_seed_are_equal(played: Federation, tmp_path: Path) -> None:
    again = _play(tmp_path / "again.jsonl")
    assert _root_and_digest(again.ledger, again.task.address) == _root_and_digest(played.ledger, played.task.address)
    again.ledger.close()
    assert (tmp_path / "again.jsonl").read_bytes() == played.ledger.chain.log_file.read_bytes()


def test_the_digest_covers_what_an_event_says() -> None:
    digests = set()
    for pool in (1, 1, 2):
        federation = Federation(Ledger.open())
        federation.task.initialize("bafy", rounds=1, pool=pool)
        digests.add(federation.task.digest())
    assert len(digests) == 2


def test_every_transaction_is_in_the_log_before_the_call_returns(tmp_path: Path) -> None:
    ledger = Ledger.open(log_file=tmp_path / "log.jsonl")
    before = (tmp_path / "log.jsonl").read_bytes()
    ledger.deploy_token()
    after = (tmp_path / "log.jsonl").read_bytes()
    assert after.startswith(before)
    assert "tx" in json.loads(after.splitlines()[-1])
    assert after.endswith(b"\n")
    ledger.close()


def test_a_last_line_that_was_cut_off_is_dropped_and_the_rest_works(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = log.read_text().splitlines(keepends=True)
    log.write_text("".join(whole)[: -len(whole[-1]) // 2])
    with caplog.at_level(logging.WARNING, logger="flwr"):
        logging.getLogger("flwr").addHandler(caplog.handler)
        ledger = Ledger.open(log_file=log)
        logging.getLogger("flwr").removeHandler(caplog.handler)
    assert "the last line of" in caplog.text
    ledger.deploy_token()
    root = ledger.chain.state_root()
    ledger.close()
    again = Ledger.open(log_file=log)
    assert again.chain.state_root() == root
    assert log.read_text().startswith("".join(whole[:-1]))
    again.close()


@pytest.mark.parametrize("changed", ["no json", "[]", '{"tx":"00ff"}', '{"time":1}', '{"time":"soon"}', "{}"])
def test_a_changed_line_is_named(log: Path, changed: str) -> None:
    lines = log.read_text().splitlines()
    lines[4] = changed
    log.write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerLogError, match=r"(?s)line 5 of .*ledger.jsonl .*; the log was changed after it was written"):
        Ledger.open(log_file=log)


def test_a_missing_line_is_noticed_where_the_next_does_not_follow(log: Path) -> None:
    lines = log.read_text().splitlines()
    del lines[4]
    log.write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerLogError, match="line 5 of .* does not replay"):
        Ledger.open(log_file=log)


def test_a_log_of_another_account_is_not_continued(log: Path) -> None:
    with pytest.raises(LedgerLogError, match="was written by the account 0x.*, this is 0x.*; open it with the same seed"):
        Ledger.open(log_file=log, seed=1)
    with pytest.raises(LedgerLogError, match="open it with the same seed"):
        Ledger.open(log_file=log, wallet=Wallet.derived(5, "somebody"))


def test_a_file_that_is_no_ledger_log_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text('{"shopping": "milk"}\n')
    with pytest.raises(LedgerLogError, match="notes.jsonl is no ledger log of this version"):
        Ledger.open(log_file=file)
    assert file.read_text() == '{"shopping": "milk"}\n'


def test_a_reader_sees_the_same_state_and_writes_nothing(played: Federation, log: Path) -> None:
    log.write_bytes(log.read_bytes() + b'{"tx":"02')
    before = log.read_bytes()
    reader = Ledger.read("embedded", log_file=log)
    assert _root_and_digest(reader, played.task.address) == _root_and_digest(played.ledger, played.task.address)
    reader.close()
    assert log.read_bytes() == before


def test_a_reader_needs_a_log(tmp_path: Path) -> None:
    for missing in (None, tmp_path / "none.jsonl"):
        with pytest.raises(LedgerLogError, match="no ledger log at"):
            Ledger.read("embedded", log_file=missing)


def test_the_clock_moves_only_when_asked_to(embedded: Ledger) -> None:
    start = embedded.chain.now()
    embedded.deploy_token()
    assert embedded.chain.now() == start + 1
    embedded.chain.advance_past(start + 500)
    assert embedded.chain.now() == start + 501
    embedded.chain.advance_past(start)
    assert embedded.chain.now() == start + 501
