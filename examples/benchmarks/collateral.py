"""Measure FedCollateral: accuracy, precision and recall by round, what encryption costs, and what workers earn and lose.

Run from the project's root:

    python -m examples.benchmarks.collateral --dataset mnist --clients 5 --rounds 10 [--noise 1] [--out FILE.json]

All workers are in this process, one after the other, so that the seconds of all phases add up to those of the run. Their key
pairs are made before the clock starts; handing the public keys over, registering them, sealing and opening are in it.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from examples.benchmarks.data import CLASSES, DATASETS, Data, load, partition
from examples.benchmarks.grid import LocalGrid, act_as_server, make_node
from examples.benchmarks.models import MODELS, PRECISIONS, make_model
from flwr_chainfl import ChainClientApp, EncryptionKey, FedCollateral
from flwr_chainfl.audit import audit
from flwr_chainfl.config import require
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.storage import FolderStore, Store, open_store

HELD_OUT = 0.2
NOISE = 0.1
ENCRYPTION = ("clients, sealing", "clients, opening", "server, opening", "keys")


@dataclass(frozen=True)
class World:
    """One seed's data and model.

    training, held_out: of each worker; noise: how many of the first workers send a model of random noise
    """

    options: argparse.Namespace
    seed: int
    training: list[Data]
    held_out: list[Data]
    test: Data
    noise: int

    def model(self) -> torch.nn.Module:
        """Return a model as it is before the first round."""
        torch.manual_seed(self.seed)
        side = self.test.images.shape[-1]
        made = make_model(self.options.model, side=side, classes=CLASSES, precision=self.options.precision)
        return made.to(memory_format=torch.channels_last)


class Timed:
    """A store that says how long storing and fetching took, in seconds each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.puts: list[float] = []
        self.gets: list[float] = []

    def put(self, data: bytes) -> str:
        """Store bytes."""
        began = time.perf_counter()
        cid = self._store.put(data)
        self.puts.append(time.perf_counter() - began)
        return cid

    def get(self, cid: str, *, max_bytes: int | None = None) -> bytes:
        """Fetch bytes."""
        began = time.perf_counter()
        data = self._store.get(cid, max_bytes=max_bytes)
        self.gets.append(time.perf_counter() - began)
        return data

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the store."""
        return getattr(self._store, name)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[7])
    add("--dataset", choices=DATASETS, default="mnist")
    add("--data", type=Path, default=Path("data"), help="the folder with a folder of idx files for each data set")
    add("--train", type=int, help="draw so many training images")
    add("--split", choices=("iid", "dirichlet"), default="iid")
    add("--alpha", type=float, default=0.5, help="of the Dirichlet split")
    add("--strict", action="store_true", help="the strict rule on skewed data, too")
    add("--clients", type=int, nargs="+", default=[5])
    add("--noise", type=int, default=0, help="of the workers, how many send a model of random noise")
    add("--rounds", type=int, default=10)
    add("--local-epochs", type=int, default=1)
    add("--batch-size", type=int, default=64)
    add("--lr", type=float, default=1e-3, help="of Adam")
    add("--model", choices=MODELS, default="cnn")
    add("--precision", choices=PRECISIONS, default="float32")
    add("--encryption", nargs="+", choices=("x25519", "rsa-oaep", "none"), default=["x25519"])
    add("--aggregate", choices=("overall", "uniform"), default="overall")
    add("--stores", nargs="+", default=["folder"], help="folder, or ipfs:http://HOST:PORT")
    add("--threads", type=int, default=1)
    add("--audit", action="store_true", help="audit each run")
    add("--out", type=Path, metavar="FILE.json")
    return parser.parse_args(arguments)


def build(options: argparse.Namespace, clients: int, seed: int) -> World:
    """Divide the data; the same seed gives the same parts."""
    training, test = load(options.dataset, options.data)
    order = np.random.default_rng([seed, 1]).permutation(len(training.labels))
    if options.train is not None:
        require("train", options.train, minimum=clients, maximum=len(order))
        order = order[: options.train]
    drawn = training.rows(order)
    kept, held_out = [], []
    for rows in partition(drawn.labels, split=options.split, alpha=options.alpha, clients=clients, seed=seed):
        mixed = np.random.default_rng([seed, 9]).permutation(rows)
        count = max(1, round(HELD_OUT * len(mixed)))
        held_out.append(drawn.rows(mixed[:count]))
        kept.append(drawn.rows(mixed[count:]))
    return World(options, seed, kept, held_out, test, options.noise)


def worker(world: World) -> ChainClientApp:
    """Return the client app of all workers."""
    app, options = ChainClientApp(), world.options

    @app.train()
    def train(message: Message, context: Context) -> Message:
        number = int(context.node_config["partition-id"])
        data, model = world.training[number], world.model()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        torch.manual_seed(hash((world.seed, number, int(message.content["config"]["server-round"]))) % 2**63)
        if number < world.noise:
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.copy_(NOISE * torch.randn_like(parameter))
        else:
            images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
            optimizer = torch.optim.Adam(model.parameters(), lr=options.lr, fused=True)
            model.train()
            for _ in range(options.local_epochs):
                for batch in torch.randperm(len(labels)).split(options.batch_size):
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
                    optimizer.step()
        metrics = MetricRecord({"num-examples": len(data.labels)})
        return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        data, model = world.held_out[int(context.node_config["partition-id"])], world.model()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        found = measured(model, data)
        metrics = MetricRecord({**found, "num-examples": len(data.labels)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def measured(model: torch.nn.Module, data: Data) -> dict[str, float]:
    """Return accuracy, and precision and recall as means over the classes that the data has."""
    model.eval()
    with torch.no_grad():
        said = torch.cat([model(batch) for batch in torch.from_numpy(data.images).split(128)]).argmax(1).numpy()
    table = np.bincount(data.labels * CLASSES + said, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    right, there, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    present: NDArray[np.bool_] = there > 0
    return {
        "accuracy": float(right.sum() / there.sum()),
        "precision": float(np.mean(right[present] / np.maximum(predicted[present], 1))),
        "recall": float(np.mean(right[present] / there[present])),
    }


def run(world: World, clients: int, encryption: str, store: str, directory: Path) -> dict[str, Any]:
    """Run one federation and return its figures."""
    options = world.options
    if encryption != "none":
        for number in range(clients):  # which a participant does once, long before
            EncryptionKey.derived(world.seed, f"participant {number}", encryption)
    timed = Timed(FolderStore(directory / "contents") if store == "folder" else open_store(store))
    app = worker(world)
    grid = LocalGrid.of(make_node(app, number, clients) for number in range(clients))
    strategy = FedCollateral(
        min_nodes=clients, num_rounds=options.rounds, seed=world.seed, run_directory=directory,
        encryption=None if encryption == "none" else encryption, aggregate=options.aggregate,
        store=cast(Store, timed), skewed=options.split == "dirichlet" and not options.strict,
    )  # fmt: skip
    by_round: list[dict[str, float]] = []
    testing = 0.0

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        nonlocal testing
        began = time.perf_counter()
        model = world.model()
        model.load_state_dict(arrays.to_torch_state_dict())
        found = measured(model, world.test)
        if server_round:
            by_round.append(found)
        testing += time.perf_counter() - began
        return MetricRecord(found)

    began, busy = time.perf_counter(), time.process_time()
    strategy.start(grid, ArrayRecord(world.model().state_dict()), num_rounds=options.rounds, timeout=60, evaluate_fn=evaluate)
    seconds, processor = time.perf_counter() - began - testing, time.process_time() - busy
    assert strategy.run_directory is not None
    record = json.loads((strategy.run_directory / "run.json").read_text())
    phases: dict[str, float] = {}
    for entry in record["rounds"]:
        for phase, spent in entry["seconds"].items():
            phases[phase] = phases.get(phase, 0.0) + spent
    workers = sorted(record["participants"], key=lambda p: int(p["node"]))
    money = [{key: int(p[key]) / WAD for key in ("paid", "slashed", "stake")} for p in workers]
    return {
        "clients": clients, "seed": world.seed, "encryption": encryption, "store": store.split(":")[0], "by-round": by_round,
        "seconds": seconds, "processor-seconds": processor, "phases": phases, "encryption-share": sum(phases.get(p, 0.0) for p in ENCRYPTION) / seconds,
        "workers": money, "slashed-by-round": _slashed(record, len(workers)),
        "worst-honest-overall": min(
            (int(c["quality"]) / WAD for e in record["rounds"] for c in e["contributions"]
             if c["address"] in {p["address"] for p in workers[world.noise :]}), default=None,
        ),
        "put-ms": 1000 * statistics.fmean(timed.puts), "get-ms": 1000 * statistics.fmean(timed.gets or [0.0]),
        "uplink": sum(e["uplink_bytes"] for e in record["rounds"]),
        "audit": [str(one) for one in audit(strategy.run_directory)] if options.audit else None,
    }  # fmt: skip


def _slashed(record: dict[str, Any], workers: int) -> list[list[int]]:
    """Return who was slashed in each round, by number."""
    numbers = {p["address"]: int(p["node"]) - 1000 for p in record["participants"]}
    return [sorted(numbers[c["address"]] for c in e["contributions"] if int(c["slashed"])) for e in record["rounds"]]


def main() -> None:
    """Run everything and print a Markdown table, a row a run."""
    options = parse()
    torch.set_num_threads(options.threads)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="The specified min_partition_size")
    act_as_server()
    results = []
    print("| workers | seed | encryption | store | accuracy | precision | recall | rounds to .985 | seconds | of a processor | encryption, % | put / get, ms "
          "| noise earned | its stake | honest slashed | lowest honest overall |")
    print("|" + "---|" * 16)
    with tempfile.TemporaryDirectory() as scratch:
        for clients in options.clients:
            for seed in options.seeds:
                world = build(options, clients, seed)
                for encryption in options.encryption:
                    for store in options.stores:
                        found = run(world, clients, encryption, store, Path(scratch))
                        results.append(found)
                        print(row(found, options.noise), flush=True)
                        if options.out is not None:
                            settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
                            options.out.write_text(json.dumps({"settings": settings, "runs": results}, indent=1))


def row(found: dict[str, Any], noise: int) -> str:
    """Return a run as a row of the table."""
    last, workers = found["by-round"][-1], found["workers"]
    reached = next((r for r, m in enumerate(found["by-round"], 1) if min(m.values()) >= 0.985), None)
    false = sum(number >= noise for slashed in found["slashed-by-round"] for number in slashed)
    paid = sum(one["paid"] for one in workers[:noise])
    stakes = " ".join(f"{one['stake']:.0f}" for one in workers[:noise])
    cells = [
        found["clients"], found["seed"], found["encryption"], found["store"], *(f"{last[m]:.4f}" for m in last),
        reached or "–", f"{found['seconds']:.1f}", f"{found['processor-seconds']:.1f}", f"{100 * found['encryption-share']:.2f}",
        f"{found['put-ms']:.1f} / {found['get-ms']:.1f}",
        f"{paid:.0f}" if noise else "–", stakes or "–", false, f"{found['worst-honest-overall']:.2f}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |" + (f" {found['audit']}" if found["audit"] else "")


if __name__ == "__main__":
    main()
