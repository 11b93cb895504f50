"""The server: an ordinary Flower ServerApp, but for the strategy."""

import json

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from flwr_chainfl import FedPeerPrediction, OutputAgreement, Signals, Softmax, Wallet
from flwr_chainfl.fixedpoint import from_wad, to_wad
from peer_prediction.settings import Settings, read_settings
from peer_prediction.task import Net, load_splits, test

app = ServerApp()


def make_strategy(settings: Settings, student: Net) -> FedPeerPrediction:
    """Return the strategy that the run-config names."""
    nodes = settings.num_clients
    parameters = {
        "num_rounds": settings.num_rounds,
        "reward_per_round": to_wad(settings.reward),
        "settlement": settings.settlement,
        "run_directory": settings.run_directory,
        "seed": settings.seed,
    }
    if settings.exchange == "weights":
        tasks, classes = settings.signals, settings.levels
        inner = FedAvg(min_train_nodes=nodes, min_evaluate_nodes=nodes, min_available_nodes=nodes)
        parameters |= {"inner": inner, "signals": Signals(tasks=tasks, levels=classes)}
    else:
        tasks, classes = settings.public_inputs, 10
        public = load_splits(settings.public_inputs).public
        parameters |= {"public_set": public.images, "student": student, "min_nodes": nodes}
        parameters["weighting"] = Softmax(alpha=settings.alpha)
        if settings.known_labels:
            known = np.full(tasks, 255)
            known[: settings.known_labels] = public.labels[: settings.known_labels]
            parameters["known_labels"] = known
    if settings.scorer not in ("correlated-agreement", "output-agreement"):
        raise ValueError(f"scorer is {settings.scorer!r}; choose correlated-agreement or output-agreement")
    if settings.scorer == "output-agreement":
        peers = 1 if settings.settlement == "onchain" else 5
        parameters["scorer"] = OutputAgreement(classes=classes, tasks=tasks, peers=peers)
    return FedPeerPrediction(**parameters)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds, testing the global model (the student, under soft labels) after each."""
    settings = read_settings(context)
    splits = load_splits(settings.public_inputs)
    torch.manual_seed(settings.seed)
    model = Net()
    strategy = make_strategy(settings, model)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        net = Net()
        net.load_state_dict(arrays.to_torch_state_dict())
        loss, accuracy = test(net, splits.test)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    result = strategy.start(
        grid, ArrayRecord(model.state_dict()), num_rounds=settings.num_rounds, evaluate_fn=evaluate
    )
    accuracies = {r: float(m["accuracy"]) for r, m in result.evaluate_metrics_serverapp.items()}
    print(f"Global model on {len(splits.test.labels)} test images: accuracy {accuracies[max(accuracies)]:.4f}")
    (strategy.run_directory / "global-model.json").write_text(json.dumps({"accuracy": accuracies}))
    show_behaviours(settings, json.loads((strategy.run_directory / "run.json").read_text()))


def show_behaviours(settings: Settings, record: dict) -> None:
    """Print what each behaviour scored and earned."""
    participants = {p["address"]: p for p in record["participants"]}
    print(f"{'client':>6}  {'behaviour':<19}{'score':>7}{'paid':>10}{'slashed':>9}")
    for client in range(settings.num_clients):
        entry = participants.get(Wallet.derived(settings.seed, f"participant {client}").address)
        if entry is None:
            continue
        score, paid, slashed = (from_wad(int(entry[key] or 0)) for key in ("score", "paid", "slashed"))
        print(f"{client:>6}  {settings.behaviour(client):<19}{score:>7.3f}{paid:>10.1f}{slashed:>9.1f}")


