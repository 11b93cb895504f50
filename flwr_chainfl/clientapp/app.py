"""A Flower ClientApp that takes part in the protocols; the user's own functions stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from numpy.typing import NDArray

from flwr_chainfl.admission import read_invitation
from flwr_chainfl.clientapp.assessment import assess, signed_marks
from flwr_chainfl.clientapp.contribution import Contribution, contribute, request_to_join, reveal
from flwr_chainfl.clientapp.decoder import PrivateData, train_decoder
from flwr_chainfl.clientapp.envelopes import offer_key, seal_for_readers
from flwr_chainfl.clientapp.seal import attest
from flwr_chainfl.clientapp.soft_labels import SoftLabelClient
from flwr_chainfl.clientapp.update import report_of_update, with_feedback
from flwr_chainfl.crypto import EncryptionKey, Wallet
from flwr_chainfl.errors import ConfigError, ReportError
from flwr_chainfl.fixedpoint import from_wad, to_wad
from flwr_chainfl.messages import (
    ONCE_RECORD,
    REPLY_RECORD,
    STATE_RECORD,
    TYPE_DECODER,
    TYPE_JOIN,
    TYPE_KEY,
    TYPE_REVEAL,
    WEIGHTS,
    AssessmentTerms,
    ConsensusTerms,
    DecoderTerms,
    EnvelopeTerms,
    RoundTerms,
    SealTerms,
    UpdateTerms,
    only_metrics,
    read_terms,
    without_terms,
)
from flwr_chainfl.roles import Role
from flwr_chainfl.signals import Signals
from flwr_chainfl.storage import address
from flwr_chainfl.weights import pack_weights

if TYPE_CHECKING:
    from torch import nn

KEYSTORE_KEY = "keystore"
"""Key of the SuperNode's node-config with the path of the participant's keystore file."""

ENCRYPTION_KEY = "encryption-key"
"""Key of the SuperNode's node-config with the path of the file with the participant's key for sealed contents."""

STAKE_KEY = "stake"
"""Key of the SuperNode's node-config with the participant's stake, in tokens."""

INVITATION_KEY = "invitation"
"""Key of the SuperNode's node-config with the participant's invitation: hexadecimal digits after 0x, or a file's path."""


class ChainClientApp(ClientApp):
    """A ClientApp whose replies are signed and committed to, and which exchanges soft labels when asked to.

    Register train and evaluate functions on it as on any ClientApp. Under a strategy of this package the
    functions are called with the client's own weights in the message's ArrayRecord; under any other strategy
    they are called as usual.

    Parameters
    ----------
    model : Callable[[], torch.nn.Module] or Callable[[Context], torch.nn.Module], optional
        Makes the client's model, of any architecture that fits the task; one that needs an argument gets the Context.
        Needed for soft labels.
    public_set : numpy.ndarray, optional
        The client's own copy of the public inputs, where the server is not to send them.
    predict : Callable[[Module, numpy.ndarray, Context], numpy.ndarray], optional
        What the client reports: float32 (inputs, classes), rows summing to 1. Default: the model's
        class probabilities.
    private_data : Callable[[Context], tuple[numpy.ndarray, numpy.ndarray]], optional
        Returns the client's own inputs (float32, from 0 to 1) and labels (int64). Needed where the public inputs are
        drawn from decoders that the clients train.
    stake : int, optional
        Token units to stake. Default: the node-config's ``stake`` (in tokens of 18 decimals); a simulated
        participant stakes the task's minimum.
    invitation : Callable[[Context], bytes], optional
        Returns the client's invitation, or its proof of being on an allow-list. Default: what the node-config's
        ``invitation`` names; where that is not there, none.
    mods : list[Mod], optional
        Flower mods, as of any ClientApp.

    Notes
    -----
    A participant's key is the keystore file that the node-config's ``keystore`` names; its password is in the
    environment variable ``CHAINFL_PASSWORD``. Whoever has a key says what it stakes, so that no server can ask
    for more. Without a key, simulated participants of a ledger on which nothing is worth anything get a throw-away
    account.

    Examples
    --------
    ::

        app = ChainClientApp(model=Net)  # was: app = ClientApp()
    """

    def __init__(
        self,
        *,
        model: Callable[..., nn.Module] | None = None,
        public_set: NDArray[Any] | None = None,
        predict: Callable[[nn.Module, NDArray[Any], Context], NDArray[np.float32]] | None = None,
        private_data: PrivateData | None = None,
        stake: int | None = None,
        invitation: Callable[[Context], bytes] | None = None,
        mods: Sequence[Mod] | None = None,
    ) -> None:
        super().__init__(mods=list(mods) if mods is not None else None)
        if stake is not None and stake <= 0:
            raise ConfigError(f"stake is {stake}; it must be above 0 token units")
        self._stake = stake
        self._invitation = invitation
        self._private_data = private_data
        self._soft_labels = SoftLabelClient(model, public_set, predict)
        self._wallets: dict[str, Wallet] = {}
        self._encryption_keys: dict[str, EncryptionKey] = {}

    def __call__(self, message: Message, context: Context) -> Message:
        """Execute the app: the protocol around the registered functions."""
        if message.metadata.message_type == TYPE_REVEAL:
            return Message(reveal(context), reply_to=message)
        configs = list(message.content.config_records.items())
        if message.metadata.message_type == TYPE_DECODER and len(configs) == 1:
            wanted = read_terms(DecoderTerms, configs[0][1])
            if wanted is not None:
                wallet = self._wallet(context, wanted)
                return Message(train_decoder(self._private_data, context, wanted, wallet), reply_to=message)
        terms = read_terms(RoundTerms, configs[0][1]) if len(configs) == 1 else None
        if terms is None:
            return super().__call__(message, context)
        if message.metadata.message_type == TYPE_JOIN:
            return Message(self._join(context, terms), reply_to=message)
        key, config = configs[0]
        consensus = read_terms(ConsensusTerms, config)
        assessment, seal = read_terms(AssessmentTerms, config), read_terms(SealTerms, config)
        envelopes, update = read_terms(EnvelopeTerms, config), read_terms(UpdateTerms, config)
        if message.metadata.message_type == TYPE_KEY and envelopes is not None:
            wallet, own_key = self._wallet(context, terms), self._encryption_key(context, terms)
            return Message(offer_key(wallet, own_key, terms, envelopes), reply_to=message)
        message.content[key] = without_terms(config)
        category = message.metadata.message_type.split(".")[0]
        if category == "train":
            return self._train(message, context, terms, consensus, envelopes, update)
        if seal is not None:
            attested = _once("seal", context, terms, lambda: attest(self._wallet(context, terms), terms, seal))
            return Message(attested, reply_to=message)
        if assessment is not None:
            marks = _once("score", context, terms, lambda: self._assess(message, context, terms, assessment, consensus))
            return Message(marks, reply_to=message)
        if consensus is None:
            return super().__call__(message, context)
        return self._soft_labels.evaluate(super().__call__, message, context, terms, consensus)

    def _assess(
        self, message: Message, context: Context, terms: RoundTerms, wanted: AssessmentTerms,
        consensus: ConsensusTerms | None,
    ) -> RecordDict:
        """Judge others' models with the evaluate function, or their labels with the client's own model."""
        wallet = self._wallet(context, terms)
        if consensus is not None:
            return signed_marks(wallet, terms, self._soft_labels.judge(message, context, wanted, consensus))
        return assess(
            super().__call__, message, context, wallet, terms, wanted, key=lambda: self._encryption_key(context, terms)
        )

    def _join(self, context: Context, terms: RoundTerms) -> RecordDict:
        """Sign the wish to join again, with another permit nonce."""
        state = context.state.config_records.get(STATE_RECORD)
        if state is None:
            raise ReportError("asked to sign before any training; the client was restarted within the round")
        samples = state["samples"]
        assert isinstance(samples, int)
        record = request_to_join(
            self._wallet(context, terms), terms, samples=samples, stake=self._own_stake(context, terms),
            invitation=self._own_invitation(context),
        )
        return RecordDict({REPLY_RECORD: record})

    def _train(
        self,
        message: Message,
        context: Context,
        terms: RoundTerms,
        consensus: ConsensusTerms | None,
        envelopes: EnvelopeTerms | None,
        update: UpdateTerms | None,
    ) -> Message:
        wallet = self._wallet(context, terms)
        if terms.exchange == WEIGHTS:
            reference = message.content.array_records.get(terms.arrays_key)
            reply = super().__call__(message, context)
            if reply.has_error():
                return reply
            arrays = list(reply.content.array_records.values())
            if len(arrays) != 1:
                raise ReportError(f"the train function replied with {len(arrays)} ArrayRecords; exactly 1 is needed")
            if update is not None and update.update_feedback and reference is not None:
                arrays = [with_feedback(arrays[0], reference, update, context, task=terms.task)]
                reply.content[next(iter(reply.content.array_records))] = arrays[0]
            content = pack_weights(arrays[0])
            samples = _samples(reply.content)
            report = samples.to_bytes(8, "big")
            if terms.signal_levels:
                if reference is None:
                    raise ReportError(f"the server's message has no ArrayRecord {terms.arrays_key!r} to compare with")
                report = Signals(tasks=terms.signal_tasks, levels=terms.signal_levels).report(arrays[0], reference)
            if update is not None:
                if reference is None:
                    raise ReportError(f"the server's message has no ArrayRecord {terms.arrays_key!r} to compare with")
                report = report_of_update(arrays[0], reference, update, samples=samples)
            seconds = 0.0
            if envelopes is not None:
                content, seconds = seal_for_readers(content, wallet.address, terms, envelopes)
                del reply.content[next(iter(reply.content.array_records))]
            later = terms.clipped or envelopes is not None
            contribution = Contribution(
                cid=address(content), report=report, samples=samples, sent=content if later else b"",
                sealing_seconds=seconds,
            )
            # A salt that seeds random draws stays secret until all have committed, and so does what others could copy.
            reveal_now = not later and not terms.signal_levels
        else:
            if consensus is None:
                raise ReportError("the server's message carries no consensus terms; use the same flwr-chainfl version")
            reply, labelled = self._soft_labels.train(super().__call__, message, context, terms, consensus)
            if labelled is None or terms.role not in ("", Role.WORKER.name.lower()):
                return reply  # who does not report in this round trains all the same, so that its model stays alive
            contribution = Contribution(
                cid=address(labelled.stored), report=labelled.report, samples=_samples(reply.content),
                sent=labelled.sent, reference=labelled.reference,
            )
            reveal_now = terms.packed
        contribute(
            reply.content,
            context,
            wallet,
            terms,
            contribution,
            node_id=message.metadata.dst_node_id,
            stake=self._own_stake(context, terms),
            invitation=self._own_invitation(context),
            reveal_now=reveal_now,
        )
        return reply

    def _own_stake(self, context: Context, terms: RoundTerms) -> int | None:
        """Return the stake in token units, None for the task's minimum."""
        if self._stake is not None or KEYSTORE_KEY not in context.node_config:
            return self._stake
        tokens = context.node_config.get(STAKE_KEY)
        if isinstance(tokens, bool) or not isinstance(tokens, (int, float)) or tokens <= 0:
            raise ConfigError(
                f"this node has a key and its stake is {tokens!r}; the task asks for {from_wad(int(terms.stake)):g} tokens: "
                f"start the SuperNode with --node-config '{STAKE_KEY}=TOKENS', or pass ChainClientApp(stake=UNITS)"
            )
        return to_wad(tokens)

    def _own_invitation(self, context: Context) -> bytes:
        """Return what this participant can show for being invited, empty for nothing."""
        if self._invitation is not None:
            return self._invitation(context)
        if INVITATION_KEY not in context.node_config:
            return b""
        return read_invitation(context.node_config[INVITATION_KEY])

    def _wallet(self, context: Context, terms: RoundTerms | DecoderTerms) -> Wallet:
        path = context.node_config.get(KEYSTORE_KEY)
        if path is None:
            if not terms.simulated:
                raise ConfigError(
                    f"this node has no key: start its SuperNode with --node-config '{KEYSTORE_KEY}=\"PATH\"' "
                    f"(throw-away accounts are for ledgers on which nothing is worth anything)"
                )
            name = str(context.node_config.get("partition-id", context.node_id))
            return Wallet.derived(max(terms.seed, 0), f"participant {name}")
        if str(path) not in self._wallets:
            self._wallets[str(path)] = Wallet.from_keystore(str(path))
        return self._wallets[str(path)]

    def _encryption_key(self, context: Context, terms: RoundTerms) -> EncryptionKey:
        path = context.node_config.get(ENCRYPTION_KEY)
        if path is None:
            if not terms.simulated:
                raise ConfigError(
                    f"this node has no key for sealed contents: make one with EncryptionKey.create_file, and start its "
                    f"SuperNode with --node-config '{ENCRYPTION_KEY}=\"PATH\"'"
                )
            name = str(context.node_config.get("partition-id", context.node_id))
            return EncryptionKey.derived(max(terms.seed, 0), f"participant {name}", terms.key_scheme)
        if str(path) not in self._encryption_keys:
            self._encryption_keys[str(path)] = EncryptionKey.from_file(str(path))
        return self._encryption_keys[str(path)]


def _once(kind: str, context: Context, terms: RoundTerms, sign: Callable[[], RecordDict]) -> RecordDict:
    """Return what was signed in this round already, if asked again: two different statements would cost the stake."""
    name = f"{ONCE_RECORD}.{kind}"
    kept = context.state.config_records.get(name)
    if kept is None or (kept["of-task"], kept["round"]) != (terms.task, terms.round_number):
        kept = ConfigRecord({**dict(sign().config_records[REPLY_RECORD].items()), "of-task": terms.task})
        context.state[name] = kept
    return RecordDict({REPLY_RECORD: ConfigRecord({key: value for key, value in kept.items() if key != "of-task"})})


def _samples(content: RecordDict) -> int:
    """Return the number of examples that the user's train function reports."""
    value = only_metrics(content)["num-examples"]
    assert isinstance(value, (int, float))
    return int(value)


__all__ = ["ENCRYPTION_KEY", "INVITATION_KEY", "KEYSTORE_KEY", "STAKE_KEY", "ChainClientApp"]
