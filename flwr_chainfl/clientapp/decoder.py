"""Train a conditional VAE on the client's own data, and hand out its decoder and the class histogram, signed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, RecordDict
from numpy.typing import NDArray

from flwr_chainfl.crypto import Wallet, decoder_statement, task_domain
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.labels import class_histogram, laplace_histogram
from flwr_chainfl.messages import REPLY_RECORD, DecoderTerms
from flwr_chainfl.storage import address, digest

log = logging.getLogger("flwr")

PrivateData = Callable[[Context], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""Returns a client's own inputs, float32 from 0 to 1, and their labels."""


def train_decoder(
    private_data: PrivateData | None, context: Context, terms: DecoderTerms, wallet: Wallet
) -> RecordDict:
    """Return a decoder that was trained on the client's data, and its class histogram, with noise where asked for.

    Both are signed for the task, so that whoever carries them cannot put others in their place.

    The decoder draws inputs like the client's own. It is no anonymisation: with few samples of a class, what it draws
    may come close to them.

    Raises ConfigError when the app was not told where the client's data is.
    Source: docs/protocols/soft-label.md, "Public set".
    """
    from flwr_chainfl import distillation

    if private_data is None:
        raise ConfigError(
            "public inputs are to be drawn from decoders, which need the client's data: "
            "ChainClientApp(private_data=lambda context: (inputs, labels))"
        )
    inputs, labels = private_data(context)
    seed = _seed(context, terms)
    distillation.seed_torch(seed)

    def progress(epoch: int, loss: float) -> None:
        if epoch == terms.epochs or epoch % 5 == 0:
            log.info("CVAE epoch %d of %d: loss %.1f", epoch, terms.epochs, loss)

    model = distillation.train_cvae(
        inputs,
        labels,
        classes=terms.classes,
        latent=terms.latent,
        epochs=terms.epochs,
        learning_rate=terms.learning_rate,
        batch_size=terms.batch_size,
        on_epoch=progress,
    )
    counts = class_histogram(labels, terms.classes)
    if terms.epsilon > 0:
        # Never from the run's seed: whoever knows it could take the noise away again.
        counts = laplace_histogram(counts, epsilon=terms.epsilon, generator=np.random.default_rng())
    decoder, histogram = distillation.pack_decoder(model), [int(c) for c in counts]
    statement = decoder_statement(
        task_domain(terms.chain_id, terms.task),
        participant=wallet.address,
        decoder=digest(address(decoder)),
        histogram=histogram,
    )
    record = ConfigRecord(
        {
            "address": wallet.address,
            "decoder": decoder,
            "histogram": histogram,
            "signature": wallet.sign(statement).to_bytes(),
        }
    )
    return RecordDict({REPLY_RECORD: record})


def _seed(context: Context, terms: DecoderTerms) -> int:
    if terms.seed < 0:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    name: Any = context.node_config.get("partition-id", context.node_id)
    return int.from_bytes(sha256(f"{terms.seed} {name} decoder".encode()).digest()[:8], "big")
