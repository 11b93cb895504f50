"""Who can read what travels: participants' keys, registered on the ledger, and the server's own."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from flwr.app import ArrayRecord, Message

from flwr_chainfl.crypto import (
    SCHEMES,
    EncryptionKey,
    EnvelopeContext,
    PublicKey,
    Signature,
    TypedData,
    unseal_bytes,
)
from flwr_chainfl.errors import ConfigError, EncryptionKeyError
from flwr_chainfl.ledger import KeyRequest, Keys
from flwr_chainfl.messages import EnvelopeTerms
from flwr_chainfl.serverapp.contribution import Contribution, check_signed, read_field, read_record
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.storage import KeyDirectory, Store
from flwr_chainfl.weights import unpack_weights


@dataclass(frozen=True)
class Reader:
    """Who contents are sealed for; signature: of ``Key``."""

    address: str
    key: PublicKey
    signature: Signature


class Envelopes:
    """Contents are sealed for the participants of the round and for the requester, and for nobody else.

    The requester is among the readers since its server aggregates. Before a client first takes part, it is asked for its
    public key, which goes into the store, and by its owner's signature onto the ledger. A client that is asked to take part
    in a round can read that round's contents, even if it then does not join: where that matters, say who may join with an
    `admission`. The averaged model is not sealed.

    Envelopes are different in every run, and so are their addresses and the ledger's digest, whatever the seed.

    Parameters
    ----------
    scheme : str
        ``x25519`` or ``rsa-oaep``: of the throw-away keys of simulated participants, and of the server's where `key` is
        left out. Participants with a key file use that, of either kind.
    key : EncryptionKey, optional
        The requester's. Default: a new one, which nobody has once the run has ended.

    Source: docs/protocols/collateral.md, "Who can read".
    """

    def __init__(self, scheme: str = "x25519", *, key: EncryptionKey | None = None) -> None:
        if scheme not in SCHEMES:
            raise ConfigError(f"scheme is {scheme!r}; {' and '.join(map(repr, SCHEMES))} are possible")
        self.scheme = scheme
        self._key = key
        self._readers: dict[int, Reader] = {}
        self._keys: Keys | None = None
        self._directory: KeyDirectory | None = None
        self._own: Reader | None = None
        self._chain_id = 0
        self._task = ""
        self._opening_seconds = 0.0

    def open(self, relay: Relay, store: Store) -> None:
        """Deploy the registry of keys and enter the requester's own."""
        key = self._key = self._key if self._key is not None else EncryptionKey.generate(self.scheme)
        chain = relay.ledger.chain
        self._directory = KeyDirectory(store)
        self._chain_id, self._task = chain.chain_id, relay.task.address
        self._keys = relay.ledger.deploy_keys()
        self._keys.register(key.public.key_id)
        statement = {"participant": chain.wallet.address, "keyId": key.public.key_id}
        signature = chain.wallet.sign(TypedData(domain=self._keys.domain, primary="Key", message=statement))
        self._own = Reader(chain.wallet.address, key.public, signature)

    @property
    def keys(self) -> Keys:
        """The registry."""
        if self._keys is None:
            raise ConfigError("the exchange was not opened; start the strategy with strategy.start(grid, …)")
        return self._keys

    def unknown(self, nodes: Iterable[int]) -> list[int]:
        """Return the nodes whose key is not known yet."""
        return sorted(node for node in nodes if node not in self._readers)

    def terms(self, nodes: Iterable[int]) -> EnvelopeTerms:
        """Return whom clients seal for when these nodes take part, with keys that are in the store for this round, too."""
        readers = [self._readers[node] for node in sorted(nodes) if node in self._readers]
        if readers and self._own is not None and self._directory is not None:
            readers.append(self._own)
            for reader in readers:
                self._directory.publish(reader.key)
        return EnvelopeTerms(
            registry=self.keys.address,
            readers=[reader.address for reader in readers],
            keys=[reader.key.to_bytes() for reader in readers],
            signatures=[reader.signature.to_bytes() for reader in readers],
        )

    def read_key(self, reply: Message) -> tuple[Reader, KeyRequest]:
        """Read a client's key and check that it signed for it; raises ReportError, EncryptionKeyError, SignatureError."""
        record = read_record(reply)
        address = read_field(record, "address", str)
        key = PublicKey.from_bytes(read_field(record, "key", bytes))
        request = KeyRequest(
            participant=address,
            key_id=key.key_id,
            signature=Signature.from_bytes(read_field(record, "signature", bytes)),
        )
        statement = {"participant": address, "keyId": key.key_id}
        check_signed(TypedData(domain=self.keys.domain, primary="Key", message=statement), request.signature, address)
        return Reader(address, key, request.signature), request

    def admit(self, node: int, reader: Reader) -> None:
        """Let a node read from now on; its key is on the ledger."""
        if any(reader.address == known.address for known in self._readers.values()):
            raise EncryptionKeyError(f"{reader.address} reads from another node already; give node {node} a key of its own")
        self._readers[node] = reader

    def unseal(self, contribution: Contribution) -> ArrayRecord:
        """Open a contribution for the aggregate; raises EnvelopeError or ReportShapeError."""
        assert self._key is not None
        began = time.perf_counter()
        context = EnvelopeContext(
            chain_id=self._chain_id, task=self._task, round_number=contribution.round_number, owner=contribution.address
        )
        content = unseal_bytes(contribution.content, context=context, key=self._key)
        self._opening_seconds += time.perf_counter() - began
        return unpack_weights(content)

    def take_seconds(self) -> float:
        """Return the seconds spent on opening since this was asked last."""
        spent, self._opening_seconds = self._opening_seconds, 0.0
        return spent
