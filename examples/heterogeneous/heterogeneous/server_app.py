"""The server: its student is the larger CNN; the clients' models never come here."""

import json
from statistics import fmean

import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from flwr_chainfl import FedSoftLabel
from heterogeneous.models import NAMES, larger_cnn
from heterogeneous.task import load_splits, read_settings, test

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds and print the accuracy of each architecture."""
    settings = read_settings(context)
    _, public, held_out = load_splits(settings.public_inputs)
    torch.manual_seed(settings.seed)
    student = larger_cnn()
    nodes = {name: settings.num_clients for name in ("min_available_nodes", "min_evaluate_nodes")}
    nodes["min_train_nodes"] = max(3, settings.num_clients // 2)  # so that up to half may be left out for bad repute
    strategy = FedSoftLabel(
        public_set=public, student=student, num_rounds=settings.num_rounds, run_directory=settings.run_directory,
        seed=settings.seed, **nodes,
    )  # fmt: skip

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        model = larger_cnn()
        model.load_state_dict(arrays.to_torch_state_dict())
        loss, accuracy = test(model, held_out)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    result = strategy.start(
        grid, ArrayRecord(student.state_dict()), num_rounds=settings.num_rounds, evaluate_fn=evaluate
    )
    record = json.loads((strategy.run_directory / "run.json").read_text())
    last = [entry["metrics"] for entry in record["rounds"][-1]["evaluations"]]
    print(f"Accuracy on {len(held_out.labels)} test images after round {settings.num_rounds}:")
    for index, name in enumerate(NAMES):
        own = [metrics["accuracy"] for metrics in last if metrics["architecture"] == index]
        print(f"  {name:12} {fmean(own):.4f} (mean of {len(own)} clients)" if own else f"  {name:12} no client")
    final = result.evaluate_metrics_serverapp[settings.num_rounds]["accuracy"]
    print(f"  server's student, a {NAMES[2]}: {final:.4f}")
