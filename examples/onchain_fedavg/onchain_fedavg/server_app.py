"""The server: an ordinary Flower ServerApp, but for the strategy."""

import json
from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl import FedAlignment, Shapley, Updates, Wallet
from flwr_chainfl.fixedpoint import to_wad
from onchain_fedavg.settings import Settings, read_settings
from onchain_fedavg.task import Net, load_splits, test

app = ServerApp()


def score(arrays: ArrayRecord) -> float:
    """Return a model's accuracy on the server's held-out data."""
    model = Net()
    model.load_state_dict(arrays.to_torch_state_dict())
    return test(model, load_splits().held_out)[1]


def make_strategy(settings: Settings, arrays: ArrayRecord) -> Strategy:
    """Return the strategy that the run-config names."""
    nodes = settings.num_clients
    inner = FedAvg(min_train_nodes=nodes, min_evaluate_nodes=nodes, min_available_nodes=nodes)
    if settings.strategy == "fedavg":
        return inner
    return FedAlignment(
        arrays=arrays,
        inner=inner,
        updates=Updates(bits=settings.bits),
        shapley=Shapley(value=score, every=settings.shapley_every) if settings.shapley_every else None,
        gas_cap=settings.gas_cap,
        settlement=settings.settlement,
        ledger=settings.ledger,
        wallet=Wallet.from_keystore(settings.keystore) if settings.keystore else None,
        num_rounds=settings.num_rounds,
        reward_per_round=to_wad(settings.reward),
        run_directory=settings.run_directory,
        seed=settings.seed,
    )


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds, testing the global model after each."""
    settings = read_settings(context)
    torch.manual_seed(settings.seed)
    arrays = ArrayRecord(Net().state_dict())
    strategy = make_strategy(settings, arrays)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        net = Net()
        net.load_state_dict(arrays.to_torch_state_dict())
        loss, accuracy = test(net, load_splits().test)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    result = strategy.start(grid, arrays, num_rounds=settings.num_rounds, evaluate_fn=evaluate)
    accuracies = {r: float(m["accuracy"]) for r, m in result.evaluate_metrics_serverapp.items()}
    print(f"Global model on {len(load_splits().test.labels)} test images: accuracy {accuracies[max(accuracies)]:.4f}")
    if isinstance(strategy, FedAlignment):
        show_gas(json.loads((strategy.run_directory / "run.json").read_text()))
    directory = strategy.run_directory if isinstance(strategy, FedAlignment) else Path(settings.run_directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{settings.strategy}.json").write_text(json.dumps({"accuracy": accuracies}))


def show_gas(record: dict) -> None:
    """Print what each round cost, and what of it was the average."""
    print(f"{'round':>6}{'gas':>14}{'of it the average':>20}")
    for entry in record["rounds"]:
        print(f"{entry['number']:>6}{sum(entry['gas'].values()):>14,}{entry['gas'].get('average', 0):>20,}")
