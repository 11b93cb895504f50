"""The server: an ordinary Flower ServerApp, but for the strategy."""

import json
from pathlib import Path

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl import (
    ChainFL,
    ChainStrategy,
    Deadlines,
    FedPeerPrediction,
    FedRoleRotation,
    FedSoftLabel,
    PseudoPublic,
    SampleCount,
    Wallet,
    Weights,
)
from flwr_chainfl.fixedpoint import to_wad
from quickstart.settings import Settings, read_settings
from quickstart.task import SIDE, Net, load_splits, test

app = ServerApp()


def make_strategy(settings: Settings, student: Net) -> Strategy:
    """Return the strategy that the run-config names."""
    nodes = {name: settings.num_clients for name in ("min_available_nodes", "min_evaluate_nodes")}
    nodes["min_train_nodes"] = max(3, settings.num_clients // 2)  # so that up to half may be left out for bad repute
    if settings.strategy == "fedavg":
        return FedAvg(**nodes)
    chain = {
        "num_rounds": settings.num_rounds,
        "reward_per_round": to_wad(settings.reward),
        "ledger": settings.ledger,
        "wallet": Wallet.from_keystore(settings.keystore) if settings.keystore else None,
        "store": settings.store or None,
        "deadlines": Deadlines(challenge=settings.challenge_seconds),
        "run_directory": settings.run_directory,
        "seed": settings.seed,
    }
    if settings.strategy == "weights":
        return ChainStrategy(exchange=Weights(FedAvg(**nodes)), scorer=SampleCount(), **chain)
    if settings.strategy == "role-rotation":
        return FedRoleRotation(inner=FedAvg(**nodes), retrained=True, **chain)
    if settings.strategy not in ("chainfl", "soft-labels", "peer-prediction"):
        raise ValueError(
            f"strategy is {settings.strategy!r}; choose chainfl, soft-labels, peer-prediction, role-rotation, weights or fedavg"
        )
    if settings.public_set not in ("real", "cvae"):
        raise ValueError(f"public-set is {settings.public_set!r}; choose real or cvae")
    public_set: np.ndarray | PseudoPublic = (
        load_splits(settings.dataset, settings.data_folder, settings.public_inputs).public
        if settings.public_set == "real"
        else PseudoPublic(classes=10, inputs=settings.public_inputs)
    )
    distillation = {"weight": settings.consensus_weight, "entropy_temperature": settings.entropy_temperature}
    if settings.strategy == "chainfl":
        return ChainFL(
            public_set=public_set, student=student, distillation=distillation, min_nodes=settings.num_clients, **chain
        )
    if settings.strategy == "peer-prediction":
        return FedPeerPrediction(
            public_set=public_set, student=student, distillation=distillation, min_nodes=settings.num_clients, **chain
        )
    return FedSoftLabel(public_set=public_set, student=student, distillation=distillation, **nodes, **chain)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds, testing the global model (the student, under soft labels) after each."""
    settings = read_settings(context)
    splits = load_splits(settings.dataset, settings.data_folder, settings.public_inputs)
    torch.manual_seed(settings.seed)
    model = Net(SIDE[settings.dataset])
    strategy = make_strategy(settings, model)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        net = Net(SIDE[settings.dataset])
        net.load_state_dict(arrays.to_torch_state_dict())
        loss, accuracy = test(net, splits.test)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    result = strategy.start(
        grid, ArrayRecord(model.state_dict()), num_rounds=settings.num_rounds, evaluate_fn=evaluate
    )
    accuracies = {r: float(m["accuracy"]) for r, m in result.evaluate_metrics_serverapp.items()}
    print(f"Global model on {len(splits.test.labels)} test images: accuracy {accuracies[max(accuracies)]:.4f}")
    folder = getattr(strategy, "run_directory", None) or Path(settings.run_directory)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "global-model.json").write_text(json.dumps({"strategy": settings.strategy, "accuracy": accuracies}))
