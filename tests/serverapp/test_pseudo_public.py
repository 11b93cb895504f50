"""Public inputs that are drawn from the clients' decoders: the phase before the first round, and what the student learns."""

import numpy as np
import pytest

from flwr_chainfl import FedSoftLabel, PseudoPublic
from flwr_chainfl.audit import audit
from flwr_chainfl.errors import ConfigError, ParticipationError
from flwr_chainfl.messages import TYPE_DECODER
from tests.serverapp.federation import (
    Net,
    federation,
    make_app,
    nodes_of,
    private_data,
    record_of,
    start,
    taught,
)


def own_data(clients: int):
    def data(context):
        images, labels = private_data(int(context.node_config["partition-id"]), clients)
        return images.numpy()[:, None], labels.numpy()

    return data


def image_app(clients: int, **parameters):
    """Return a client app that trains a decoder on its own images."""
    return make_app(clients, private_data=own_data(clients), **parameters)


def drawing(tmp_path, count: int, **settings) -> FedSoftLabel:
    return FedSoftLabel(
        public_set=PseudoPublic(**{"classes": 10, "inputs": 80, "epochs": 2, **settings.pop("pseudo", {})}), student=Net(),
        distillation={"epochs": 1, "student_epochs": 2, **settings.pop("distillation", {})}, run_directory=tmp_path,
        **{"num_rounds": 1, "seed": 3, "phase_timeout": 30, **nodes_of(count), **settings},
    )  # fmt: skip


def test_public_inputs_are_drawn_from_the_clients_decoders(tmp_path):
    grid = federation(3, apps={i: image_app(3) for i in range(3)})
    strategy = drawing(tmp_path, 3, num_rounds=2)
    start(strategy, grid)
    record = record_of(strategy)
    assert record["config"]["tasks"] == 80
    drawn = record["config"]["pseudo-public"]
    assert len(drawn["decoders"]) == 3
    store = strategy.run_directory / "store"
    assert all(list(store.rglob(cid)) for cid in [*drawn["decoders"], record["config"]["public-set"]])
    assert [sum(histogram) for histogram in drawn["histograms"]] == [p["samples"] for p in sorted(
        record["participants"], key=lambda p: p["node"])]
    assert (strategy.run_directory / "public-set.png").stat().st_size > 1000
    assert all(entry["calibration"] for entry in record["rounds"])  # the drawn classes are known
    assert all(len(entry["contributions"]) == 3 for entry in record["rounds"])
    assert audit(strategy.run_directory) == []


def expected_of_drawn(strategy, consensus) -> np.ndarray:
    """Return what a student is to learn of drawn inputs: half their classes, less where a decoder is contradicted."""
    known, owners = strategy.exchange.known_labels, strategy.exchange._owners.of_input
    agrees = consensus.argmax(axis=1) == known
    belief = np.array([min(1.0, 2 * agrees[owners == owner].mean() / agrees.mean()) for owner in range(owners.max() + 1)])
    share = 0.5 * belief[owners][:, None]
    return (1 - share) * consensus + share * np.eye(10)[known]


def test_half_of_what_the_student_learns_of_drawn_inputs_is_their_class(tmp_path, monkeypatch):
    strategy = drawing(tmp_path, 3)
    targets, consensus = taught(monkeypatch, strategy, federation(3, apps={i: image_app(3) for i in range(3)}))
    np.testing.assert_allclose(targets, expected_of_drawn(strategy, consensus), atol=1e-6)
    assert strategy.exchange._known_weight == 0.5


def test_a_decoder_of_false_classes_is_believed_less_and_named(tmp_path, monkeypatch, caplog):
    images, labels = private_data(0, 4)

    def mislabelled(context):
        return images.numpy()[:, None], (labels.numpy() + 1) % 10

    apps = {0: make_app(4, private_data=mislabelled), **{i: image_app(4) for i in range(1, 4)}}
    strategy = drawing(tmp_path, 4, pseudo={"epochs": 60, "inputs": 200})
    targets, consensus = taught(monkeypatch, strategy, federation(4, apps=apps))
    np.testing.assert_allclose(targets, expected_of_drawn(strategy, consensus), atol=1e-6)
    exchange = strategy.exchange
    liar = next(p["address"] for p in record_of(strategy)["participants"] if p["node"] == "1000")
    owner = exchange._provenance["signers"].index(liar)
    of_liar = exchange._owners.of_input == owner
    given = targets[np.arange(200), exchange.known_labels] - consensus[np.arange(200), exchange.known_labels]
    assert given[of_liar].mean() < 0.5 * given[~of_liar].mean()
    assert f"believes {liar}'s decoder by" in caplog.text


def test_drawn_inputs_repeat_with_the_seed(tmp_path):
    addresses = []
    for name in ("a", "b"):
        strategy = drawing(tmp_path / name, 3)
        start(strategy, federation(3, apps={i: image_app(3) for i in range(3)}), rounds=1)
        addresses.append(record_of(strategy)["config"]["public-set"])
    assert addresses[0] == addresses[1]


def test_a_client_without_a_decoder_does_not_stop_the_others(tmp_path):
    grid = federation(4, apps={**{i: image_app(4) for i in range(3)}, 3: make_app(4)})
    strategy = drawing(tmp_path, 4)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert len(record["config"]["pseudo-public"]["decoders"]) == 3
    assert len(record["participants"]) == 4
    assert [(event["kind"], event["node"]) for event in record["rounds"][0]["events"]] == [("unusable-decoder", "1003")]


def test_a_decoder_that_its_participant_did_not_sign_is_refused_by_name_and_the_run_goes_on(tmp_path):
    honest = {}

    def forging(change):
        def intercept(message, context, app):
            reply = app(message, context)
            if message.metadata.message_type == TYPE_DECODER:
                change(reply.content.config_records["chainfl"])
            return reply

        return intercept

    def keep(record):
        honest.update(record.items())

    def take_anothers(record):
        record.update(honest)

    def put_in_anothers_decoder(record):
        record["decoder"] = honest["decoder"]

    def inflate(record):
        record["histogram"] = [10 * count for count in record["histogram"]]

    def drop_signature(record):
        del record["signature"]

    def sign_as_another(record):
        record["address"] = honest["address"]

    changes = [keep, put_in_anothers_decoder, inflate, drop_signature, sign_as_another, take_anothers]
    clients = len(changes)
    grid = federation(
        clients, apps={i: image_app(clients) for i in range(clients)},
        intercepts={i: forging(change) for i, change in enumerate(changes)},
    )  # fmt: skip
    strategy = drawing(tmp_path, clients)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert record["config"]["pseudo-public"]["signers"] == [honest["address"]]
    refused = {event["node"]: event["detail"] for event in record["rounds"][0]["events"] if event["kind"] == "unusable-decoder"}
    # Of two that bring one account's decoder, the same, the one that comes first is heard.
    (second,) = set(refused) - {"1001", "1002", "1003", "1004"}
    assert second in ("1000", "1005")
    assert all(detail.startswith("SignatureError: ") for detail in refused.values())
    for node in ("1001", "1002", "1004"):
        assert "sign with the participant's own key" in refused[node]
    assert "is not signed" in refused["1003"]
    assert f"{honest['address']} sent a decoder from node" in refused[second]
    assert len(record["rounds"][0]["contributions"]) == clients
    assert audit(strategy.run_directory) == []


def test_the_audit_names_the_decoder_that_was_put_in_anothers_place(tmp_path):
    strategy = drawing(tmp_path, 3)
    opened = strategy.exchange.open

    def swap_one(surroundings):
        refused = opened(surroundings)
        provenance = strategy.exchange._provenance
        provenance["decoders"][1] = surroundings.store.put(b"a decoder of the server's own")
        provenance["histograms"][2][0] += 1
        return refused

    strategy.exchange.open = swap_one
    start(strategy, federation(3, apps={i: image_app(3) for i in range(3)}), rounds=1)
    drawn = record_of(strategy)["config"]["pseudo-public"]
    names = [f"decoder {cid} of {signer}" for cid, signer in zip(drawn["decoders"], drawn["signers"], strict=True)]
    assert [found.where for found in audit(strategy.run_directory)] == [f"{name}, signature" for name in names[1:]]
    next((strategy.run_directory / "store").rglob(drawn["decoders"][0])).write_bytes(b"other bytes")
    assert [found.where for found in audit(strategy.run_directory)] == [names[0], *(f"{name}, signature" for name in names[1:])]


def test_when_nobody_has_a_decoder_the_remedy_is_named(tmp_path):
    with pytest.raises(ParticipationError, match="private_data"):
        start(drawing(tmp_path, 3), federation(3), rounds=1)


def test_cvae_needs_the_number_of_classes():
    with pytest.raises(ConfigError, match="classes"):
        FedSoftLabel(public_set="cvae", student=Net())
    with pytest.raises(ConfigError, match="'vae'"):
        FedSoftLabel(public_set="vae", student=Net())
    assert FedSoftLabel(public_set="cvae", classes=10, student=Net()).exchange.tasks == 5000


def test_noise_on_the_histograms_cannot_be_taken_away_with_the_seed(tmp_path):
    histograms = []
    for name in ("a", "b"):
        strategy = drawing(tmp_path / name, 3, pseudo={"epsilon": 0.1})
        start(strategy, federation(3, apps={i: image_app(3) for i in range(3)}), rounds=1)
        histograms.append(record_of(strategy)["config"]["pseudo-public"]["histograms"])
    assert histograms[0] != histograms[1]
