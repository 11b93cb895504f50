from flwr_chainfl.crypto import round_seed, salts_entropy
from flwr_chainfl.ledger import Ledger
from tests.federation import Federation


def _expected(federation: Federation, round_number: int, entropy: bytes) -> bytes:
    return round_seed(
        chain_id=federation.ledger.chain.chain_id, task=federation.task.address, round_number=round_number, entropy=entropy
    )


def test_the_seed_is_that_of_the_salts_whoever_brings_them_in_whatever_order(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=4).run()
    task, wallets, reports = federation.task, federation.wallets, federation.reports()
    federation.commit(1, reports)
    openings = [federation.reveal_of(wallet, 1, reports[wallet.address]) for wallet in wallets]
    task.reveal(1, [openings[2], openings[0]])
    last = openings[3]
    task.reveal_report(1, last.participant, last.content_digest, reports[last.participant], last.salt)
    before = task.seed(1)
    task.reveal(1, [openings[0], openings[1]])  # the first one again: it counts once
    entropy = salts_entropy({one.participant: one.salt for one in openings})
    assert task.round(1).entropy == entropy
    assert task.seed(1) == _expected(federation, 1, entropy)
    assert task.seed(1) != before
    assert entropy == salts_entropy({one.participant: one.salt for one in reversed(openings)})


def test_a_withheld_salt_is_no_part_of_the_seed_and_the_same_salts_give_another_seed_in_another_round(
    ledger: Ledger,
) -> None:
    federation = Federation(ledger, participants=3).run()
    task, reports = federation.task, federation.reports()
    federation.commit(1, reports)
    revealed = dict(list(reports.items())[:2])
    federation.reveal(1, revealed)
    federation.pass_deadline(1, "reveal")
    salts = {w.address: federation.salt(w, 1) for w in federation.wallets[:2]}
    entropy = salts_entropy(salts)
    assert task.seed(1) == _expected(federation, 1, entropy)
    assert task.seed(1) != _expected(federation, 2, entropy)
    everybody = salts_entropy({**salts, federation.addresses[2]: federation.salt(federation.wallets[2], 1)})
    assert everybody != entropy


def test_two_that_use_one_salt_do_not_cancel_out(ledger: Ledger) -> None:
    addresses = Federation(ledger, participants=2).addresses
    assert salts_entropy(dict.fromkeys(addresses, bytes([7]) * 32)) != salts_entropy({})
