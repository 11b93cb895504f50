"""The server: an ordinary Flower ServerApp, but for the strategy."""

import json
from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl import FedRoleRotation, Rotation, Wallet
from flwr_chainfl.fixedpoint import from_wad, to_wad
from role_rotation.picture import draw
from role_rotation.settings import Settings, read_settings
from role_rotation.task import SIDE, Net, load, test

app = ServerApp()


def make_strategy(settings: Settings) -> Strategy:
    """Return the strategy that the run-config names."""
    nodes = {name: settings.num_clients for name in ("min_train_nodes", "min_evaluate_nodes", "min_available_nodes")}
    if settings.strategy == "fedavg":
        return FedAvg(**nodes)
    if settings.strategy != "role-rotation":
        raise ValueError(f"strategy is {settings.strategy!r}; choose role-rotation or fedavg")
    return FedRoleRotation(
        rotation=Rotation(workers=settings.workers, validators=settings.validators, miners=settings.miners),
        threshold=settings.threshold,
        retrained=settings.retrained,
        exclude_after=settings.exclude_after,
        keep_content=settings.keep_content,
        inner=FedAvg(**nodes),
        num_rounds=settings.num_rounds,
        reward_per_round=to_wad(settings.reward),
        run_directory=settings.run_directory,
        seed=settings.seed,
    )


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds, testing the global model after each."""
    settings = read_settings(context)
    _, test_data = load(settings.dataset, settings.data_folder)
    torch.manual_seed(settings.seed)
    model = Net(SIDE[settings.dataset])
    strategy = make_strategy(settings)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        net = Net(SIDE[settings.dataset])
        net.load_state_dict(arrays.to_torch_state_dict())
        loss, accuracy = test(net, test_data)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    result = strategy.start(
        grid, ArrayRecord(model.state_dict()), num_rounds=settings.num_rounds, evaluate_fn=evaluate
    )
    accuracies = {r: float(m["accuracy"]) for r, m in result.evaluate_metrics_serverapp.items()}
    print(f"Global model on {len(test_data.labels)} test images: accuracy {accuracies[max(accuracies)]:.4f}")
    folder = getattr(strategy, "run_directory", None) or Path(settings.run_directory)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "global-model.json").write_text(json.dumps({"strategy": settings.strategy, "accuracy": accuracies}))
    if isinstance(strategy, FedRoleRotation):
        names = {Wallet.derived(settings.seed, f"participant {i}").address: i for i in range(settings.num_clients)}
        record = json.loads((folder / "run.json").read_text())
        show(record, names, settings.malicious)
        print(f"Picture: {draw(record, names, settings.malicious, folder / 'roles.png')}")


def show(record: dict, names: dict[str, int], malicious: int) -> None:
    """Print how often each client worked, and was accepted, and what it earned."""
    worked = dict.fromkeys(names, 0)
    accepted = dict.fromkeys(names, 0)
    for entry in record["rounds"]:
        for address in entry["accepted"] or []:
            accepted[address] += 1
        for one in entry["contributions"]:
            worked[one["address"]] += entry["roles"].get(one["address"]) == "worker"
    print(f"{'client':>6}  {'':<9}  {'worked':>6}  {'accepted':>8}  {'paid':>9}  {'stake':>9}")
    for person in sorted(record["participants"], key=lambda p: names[p["address"]]):
        address = person["address"]
        kind = "malicious" if names[address] < malicious else "honest"
        print(f"{names[address]:>6}  {kind:<9}  {worked[address]:>6}  {accepted[address]:>8}  "
              f"{from_wad(int(person['paid'])):>9.1f}  {from_wad(int(person['stake'])):>9.1f}")
