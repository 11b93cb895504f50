"""Time of sealing and opening models, of wrapping their keys for recipients, and of storing them.

Sealing and opening are processor time, storing is wall time.

From the project's root: python -m examples.benchmarks.envelope [--mib 1 16 256] [--recipients 1 5 100]
    [--store ipfs:http://127.0.0.1:5001]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import BinaryIO

from flwr_chainfl.crypto import (
    SCHEMES,
    EncryptionKey,
    EnvelopeContext,
    Wallet,
    seal,
    seal_bytes,
    unseal,
    unseal_bytes,
)
from flwr_chainfl.storage import open_store

MIB = 1 << 20
CONTEXT = EnvelopeContext(
    chain_id=1, task=Wallet.derived(0, "task").address, round_number=1, owner=Wallet.derived(0, "owner").address
)


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median processor time of an action, which other work on the machine changes little."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return median(times)


def model(mib: int) -> BinaryIO:
    """Return a file of random bytes, in the page cache."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    for _ in range(mib):
        file.write(os.urandom(MIB))
    return file


def sealing(mib: int, repeats: int) -> tuple[float, float]:
    """Return MiB a second of sealing a file for one recipient and of opening it."""
    key = EncryptionKey.derived(0, "reader")
    with model(mib) as plain, tempfile.TemporaryFile() as sealed, tempfile.TemporaryFile() as opened:

        def write() -> None:
            plain.seek(0)
            sealed.seek(0)
            seal(plain, sealed, context=CONTEXT, recipients=[key.public])

        def read() -> None:
            sealed.seek(0)
            opened.seek(0)
            unseal(sealed, opened, context=CONTEXT, key=key)

        return mib / seconds(write, repeats), mib / seconds(read, repeats)


def recipients(scheme: str, count: int, repeats: int) -> tuple[float, float, float]:
    """Return milliseconds of sealing an empty content, a recipient, and of one opening it, and bytes a recipient."""
    keys = [EncryptionKey.generate(scheme) for _ in range(min(count, 5))]
    public = [keys[i % len(keys)].public for i in range(count)]
    sealed = seal_bytes(b"", context=CONTEXT, recipients=public)
    # A recipient named again is sealed for once, so many recipients are many wraps of few keys.
    wrap = seconds(lambda: [key.wrap(bytes(32), b"info" * 40) for key in public], repeats)
    opening = seconds(lambda: unseal_bytes(sealed, context=CONTEXT, key=keys[0]), repeats)
    size = (len(sealed) - len(seal_bytes(b"", context=CONTEXT, recipients=public[:1]))) / max(1, len(set(public)) - 1)
    return 1000 * wrap / count, 1000 * opening, size


def storing(location: str, mib: int, repeats: int) -> tuple[float, float]:
    """Return wall seconds of putting a new file into a store and of getting it, checked."""
    store = open_store(location)
    puts, gets = [], []
    for _ in range(repeats):
        with model(mib) as plain, tempfile.TemporaryFile() as again:
            began = time.perf_counter()
            cid = store.put_file(plain)
            put = time.perf_counter()
            store.get_file(cid, again)
            gets.append(time.perf_counter() - put)
            puts.append(put - began)
            store.unpin(cid)
    return median(puts), median(gets)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--recipients", type=int, nargs="+", default=[5, 100])
    parser.add_argument("--store", nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    print("| content | seal, MiB/s | open, MiB/s |\n|---|---|---|")
    for mib in options.mib:
        write, read = sealing(mib, options.repeats)
        print(f"| {mib} MiB | {write:.0f} | {read:.0f} |", flush=True)

    print("\n| scheme | recipients | wrap, ms a recipient | open, ms | bytes a recipient |\n|---|---|---|---|---|")
    for scheme in SCHEMES:
        for count in options.recipients:
            wrap, opening, size = recipients(scheme, count, options.repeats)
            print(f"| {scheme} | {count} | {wrap:.2f} | {opening:.2f} | {size:.0f} |", flush=True)

    print("\n| store | content | put, ms | get, ms |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for location in [f"folder:{folder}", *options.store]:
            for mib in options.mib:
                put, get = storing(location, mib, options.repeats)
                print(f"| {location.partition(':')[0]} | {mib} MiB | {1000 * put:.0f} | {1000 * get:.0f} |", flush=True)


if __name__ == "__main__":
    main()
