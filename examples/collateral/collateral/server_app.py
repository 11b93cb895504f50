"""The server: an ordinary Flower ServerApp, but for the strategy."""

import json

import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from collateral.plots import write_workers
from collateral.settings import Settings, read_settings
from collateral.task import Net, load, test
from flwr_chainfl import FedCollateral, PeerReviewScore, Wallet
from flwr_chainfl.fixedpoint import from_wad, to_wad

app = ServerApp()


def make_strategy(settings: Settings) -> FedCollateral:
    """Return the strategy that the run-config names."""
    return FedCollateral(
        k=settings.top,
        skewed=settings.dirichlet > 0,
        scorer=None if settings.dirichlet > 0 else PeerReviewScore(threshold=to_wad(settings.threshold)),
        aggregate=settings.aggregate,
        encryption=None if settings.encryption == "none" else settings.encryption,
        min_nodes=settings.num_clients,
        num_rounds=settings.num_rounds,
        reward_per_round=to_wad(settings.reward),
        store=settings.store or None,
        run_directory=settings.run_directory,
        seed=settings.seed,
    )


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds, testing the average of the accepted models after each."""
    settings = read_settings(context)
    _, test_data = load(settings.dataset, settings.data_folder)
    side = test_data.images.shape[-1]
    torch.manual_seed(settings.seed)
    strategy = make_strategy(settings)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        net = Net(side)
        net.load_state_dict(arrays.to_torch_state_dict())
        return MetricRecord(test(net, test_data)._asdict())

    result = strategy.start(
        grid, ArrayRecord(Net(side).state_dict()), num_rounds=settings.num_rounds, evaluate_fn=evaluate
    )
    by_round = {r: dict(m) for r, m in result.evaluate_metrics_serverapp.items()}
    last = by_round[max(by_round)]
    print(f"Global model on {len(test_data.labels)} test images: " + ", ".join(f"{k} {last[k]:.4f}" for k in last))
    directory = strategy.run_directory
    (directory / "global-model.json").write_text(json.dumps(by_round))
    record = json.loads((directory / "run.json").read_text())
    clients = {Wallet.derived(settings.seed, f"participant {c}").address: c for c in range(settings.num_clients)}
    show_workers(settings, record, clients)
    names = {p["node"]: f"{clients[p['address']]}, {settings.behaviour(clients[p['address']])}" for p in record["participants"]}
    write_workers(record, names, directory / "workers.png")
    print(f"Accuracy, precision and recall of each worker by round: {directory / 'workers.png'}")


def show_workers(settings: Settings, record: dict, clients: dict[str, int]) -> None:
    """Print what each worker scored, earned and lost."""
    print(f"{'worker':>6}  {'behaviour':<10}{'overall':>8}{'paid':>10}{'slashed':>9}{'stake':>9}")
    for entry in sorted(record["participants"], key=lambda p: clients[p["address"]]):
        client = clients[entry["address"]]
        overall, *amounts = (from_wad(int(entry[key] or 0)) for key in ("quality", "paid", "slashed", "stake"))
        print(f"{client:>6}  {settings.behaviour(client):<10}{overall:>8.3f}" + "".join(f"{a:>9.1f}" for a in amounts))
