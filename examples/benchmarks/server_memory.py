"""Memory of the server's aggregation by the number of participants: reports are streamed, not held.

From the project's root: python -m examples.benchmarks.server_memory [--participants 10 100 1000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import cast

import numpy as np
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict

from examples.benchmarks.models import make_model
from flwr_chainfl import FolderStore, SoftLabels
from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import Domain, Signature
from flwr_chainfl.labels import LabelFormat
from flwr_chainfl.ledger import CommitRequest, JoinRequest
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Surroundings

CLASSES = 10
EMPTY = Signature(bytes(32), bytes(32))


def contribution(index: int, sent: bytes) -> Contribution:
    """Return what a client of this number reveals."""
    address = f"0x{index + 1:040x}"
    reply = cast(Message, type("Reply", (), {})())
    reply.content = RecordDict({"metrics": MetricRecord({"num-examples": 10}), "chainfl": ConfigRecord()})  # type: ignore[misc]
    return Contribution(
        node=index, round_number=1, address=address, samples=10, reply=reply, sent=sent,
        commit=CommitRequest(participant=address, commitment=bytes(32), signature=EMPTY),
        join=JoinRequest(participant=address, stake=1, samples=10, deadline=1, signature=EMPTY, permit=EMPTY),
    )  # fmt: skip


def peak_mib(participants: int, tasks: int, bits: int, consensus: str) -> tuple[float, float]:
    """Return the peak of what Python and numpy allocated in a round's reveals and aggregation, and its seconds.

    Reports are made one at a time, as they come from a network; the student's own training is left out.
    """
    generator = np.random.default_rng(0)
    truth = generator.integers(CLASSES, size=tasks)
    form = LabelFormat(tasks, CLASSES, bits)
    with tempfile.TemporaryDirectory() as folder:
        exchange = SoftLabels(
            np.zeros((tasks, 1, 8, 8), dtype=np.float32), make_model("cnn-small", side=8), consensus=consensus,
            report_bits=bits, student_epochs=1, batch_size=1000,
        )  # fmt: skip
        store = FolderStore(Path(folder))
        grid = cast("object", None)
        domain = Domain(name="FederatedTask", version="1", chain_id=1)
        exchange.open(
            Surroundings(grid, store, Path(folder), seed=1, timeout=1.0, domain=domain, simulated=True)  # type: ignore[arg-type]
        )
        began = time.perf_counter()
        tracemalloc.start()
        accepted = []
        for index in range(participants):
            labels = np.where(generator.random(tasks) < 0.8, truth, generator.integers(CLASSES, size=tasks))
            soft = np.full((tasks, CLASSES), 0.02, dtype=np.float32)
            soft[np.arange(tasks), labels] = 0.82
            one = contribution(index, form.compress(form.pack(soft), None))
            exchange.check_reveal(one)
            exchange.keep(one, store)
            accepted.append(one)
        exchange.aggregate(1, accepted, Standing())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20, time.perf_counter() - began


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--bits", type=int, default=1)
    parser.add_argument("--consensus", default="peer-weighted")
    options = parser.parse_args()
    peak_mib(3, 20, options.bits, options.consensus)  # so that what is loaded on first use is not counted
    print("| participants | peak MiB | of it hard labels, MiB | seconds |\n|---|---|---|---|")
    for participants in options.participants:
        peak, seconds = peak_mib(participants, options.tasks, options.bits, options.consensus)
        print(f"| {participants} | {peak:.1f} | {participants * options.tasks / 2**20:.2f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
