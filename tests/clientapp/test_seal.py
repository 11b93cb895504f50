"""What a miner does with what the server shows it: real messages of a real run, some of them changed."""

import json

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from examples.benchmarks.grid import make_node
from flwr_chainfl.errors import SealError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.messages import REPLY_RECORD, TYPE_SEAL, TYPE_VOTE
from flwr_chainfl.storage import digest
from tests.serverapp.federation import RUN_ID, federation, make_app, start
from tests.serverapp.test_role_rotation import CLIENTS, record_of, rotation


@pytest.fixture(scope="module")
def round_one(tmp_path_factory):
    """The messages to a miner and to a validator, and the hash that the round was sealed with."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
    strategy, grid = rotation(tmp_path_factory.mktemp("run"), num_rounds=1), federation(CLIENTS)
    start(strategy, grid, rounds=1)
    kinds = {message.metadata.message_type: message for message in grid.sent}
    return kinds[TYPE_SEAL], kinds[TYPE_VOTE], digest(record_of(strategy)["rounds"][0]["seal"])


def asked(node, message, **changes):
    """Return what a client replies to a message whose protocol fields are changed."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
    fields = {f"chainfl.{key.replace('_', '-')}": value for key, value in changes.items()}
    content = RecordDict({
        name: type(record)(dict(record.items())) for name, record in message.content.items() if name != "config"
    })  # fmt: skip
    content["config"] = ConfigRecord({**dict(message.content["config"].items()), **fields})
    copy = Message(content, dst_node_id=message.metadata.dst_node_id, message_type=message.metadata.message_type)
    copy.metadata.__dict__["_message_id"] = "again"
    return node.app(copy, node.context).content.config_records[REPLY_RECORD]


def miner():
    return make_node(make_app(CLIENTS), 0, CLIENTS)


def config(message):
    return message.content["config"]


def test_a_miner_finds_what_the_server_found(round_one):
    seal, _, sealed = round_one
    assert asked(miner(), seal)["aggregate"] == sealed


def test_a_miner_counts_the_votes_itself(round_one):
    seal, _, sealed = round_one
    worst = asked(miner(), seal, threshold=0)
    assert worst["aggregate"] == sealed  # all were better than the initial model
    none = asked(miner(), seal, workers=[], samples=[], commitments=[], commit_signatures=[], salts=[], contents=[], reports=[])
    assert none["aggregate"] != sealed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {"marks": json.dumps([[WAD // 3] * len(m) for m in json.loads(c["chainfl.marks"])])}, "Score statement of 0x.* is signed by"),
        (lambda c: {"mark_signatures": [bytes(64)] * len(c["chainfl.mark-signatures"])}, "Score statement of 0x"),
        (lambda c: {"commit_signatures": c["chainfl.commit-signatures"][::-1]}, "Commit statement of 0x.* is signed by"),
        (lambda c: {"contents": [c["chainfl.contents"][0]] * len(c["chainfl.contents"])}, "is not what it committed to"),
        (lambda c: {"salts": [bytes(32)] * len(c["chainfl.salts"])}, "is not what it committed to"),
        (lambda c: {"reports": [(9**9).to_bytes(8, "big")] * len(c["chainfl.reports"])}, "is not what it committed to"),
    ],
)  # fmt: skip
def test_a_miner_does_not_attest_what_nobody_signed(round_one, change, message):
    seal, _, _ = round_one
    with pytest.raises(SealError, match=message):
        asked(miner(), seal, **change(config(seal)))


def test_who_is_asked_twice_repeats_what_it_signed(round_one):
    seal, vote, sealed = round_one
    node = miner()
    first = asked(node, seal)
    assert asked(node, seal, workers=[], samples=[], commitments=[], commit_signatures=[], salts=[], contents=[], reports=[]) == first
    marks = asked(node, vote)
    swapped = Message(RecordDict(dict(vote.content.items())), dst_node_id=1, message_type=TYPE_VOTE)
    subjects = list(config(vote)["chainfl.subjects"])
    arrays = {s: vote.content[o] for s, o in zip(subjects, subjects[1:] + subjects[:1], strict=True)}
    swapped.content = RecordDict({**arrays, "config": config(vote)})
    assert asked(node, swapped) == marks
    assert asked(miner(), swapped) != marks
    assert first["aggregate"] == sealed
