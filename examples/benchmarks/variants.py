r"""FedSoftLabel with other settings, on other splits, beside other methods: one table, and accuracy against bytes.

From the project's root, with the options of `methods` after its own:

    python -m examples.benchmarks.variants --variants fedavg soft-label:report_bits=1 soft-label:report_bits=8 \
        --splits dirichlet:0.1 one-class --out results.json --plot bytes.png --dataset fashion-mnist --public 5000

A variant is a method's name, for soft-label with parameters of its `distillation` behind it. What is in the file that
--out names already is not run again, so that a long comparison can be stopped and taken up.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from examples.benchmarks import methods
from examples.benchmarks.measure import Round, measure
from examples.benchmarks.report import spread
from flwr_chainfl.errors import ConfigError

Runs = dict[tuple[str, str, int], list[Round]]
"""Rounds by variant, split and seed."""


def main() -> None:
    """Run what is missing, print a Markdown table and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", required=True, metavar="METHOD[:KEY=VALUE,…]")
    parser.add_argument("--splits", nargs="+", default=["dirichlet:0.5"], metavar="dirichlet:ALPHA|one-class|iid")
    parser.add_argument("--out", type=Path, required=True, help="results as JSON, read first and added to")
    parser.add_argument("--plot", type=Path, help="draw the server's accuracy against bytes up, of the first split")
    own, rest = parser.parse_known_args()
    options = methods.parse(rest)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="The specified min_partition_size")
    common = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()
              if k not in ("methods", "seeds", "split", "alpha", "set", "out", "verbose", "threads", "data")}
    runs = _read(own.out, common)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            for split in own.splits:
                for variant in own.variants:
                    if (variant, split, seed) in runs:
                        continue
                    try:
                        runs[variant, split, seed] = _run(variant, split, seed, options, Path(scratch))
                    except (ConfigError, FileNotFoundError, ValueError) as error:
                        sys.exit(f"{variant} on {split}, seed {seed}: {error}")
                    _write(own.out, common, runs)
                    last = runs[variant, split, seed][-1]
                    print(f"seed {seed}, {split}, {variant}: server {last.server}, clients {last.mean_client:.4f}",
                          file=sys.stderr, flush=True)
    wanted = {(v, s): [runs[v, s, seed] for seed in options.seeds] for v in own.variants for s in own.splits}
    print("\n".join(_table(wanted, own.variants, own.splits)))
    if own.plot is not None:
        plot(own.plot, {v: wanted[v, own.splits[0]] for v in own.variants})


def _run(variant: str, split: str, seed: int, options: argparse.Namespace, scratch: Path) -> list[Round]:
    name, _, settings = variant.partition(":")
    if name not in methods.METHODS:
        raise ConfigError(f"the variant's method is {name!r}; choose one of {', '.join(methods.METHODS)}")
    kind, _, alpha = split.partition(":")
    changed = argparse.Namespace(**vars(options))
    changed.split, changed.alpha = kind, float(alpha or options.alpha)
    changed.set = [*options.set, *(settings.split(",") if settings else [])]
    task = methods.make_task(changed, seed, scratch)
    return measure(methods.METHODS[name](task), task)


def _table(wanted: dict[tuple[str, str], list[list[Round]]], variants: list[str], splits: list[str]) -> Iterator[str]:
    """Yield rows: accuracy of the server's model and the clients' mean after the last round, and bytes."""
    yield "| variant | " + " | ".join(f"{s}: server / clients" for s in splits) + " | bytes up | bytes down |"
    yield "|---" * (len(splits) + 3) + "|"
    for variant in variants:
        cells = []
        for split in splits:
            ends = [run[-1] for run in wanted[variant, split]]
            server = spread([e.server for e in ends], 4) if all(e.server is not None for e in ends) else "–"
            cells.append(f"{server} / {spread([e.mean_client for e in ends], 4)}")
        later = [one for split in splits for run in wanted[variant, split] for one in run[1:] or run]
        up, down = fmean(one.up for one in later), fmean(one.down + one.evaluate_down for one in later)
        yield f"| {variant} | " + " | ".join(cells) + f" | {up:,.0f} | {down:,.0f} |"


def plot(file: Path, runs: dict[str, list[list[Round]]]) -> None:
    """Draw the server's accuracy, round by round, against the bytes that a client has sent so far."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for variant, seeds in runs.items():
        if any(one.server is None for run in seeds for one in run):
            continue
        rounds = range(len(seeds[0]))
        sent = [fmean(sum(one.up for one in run[: r + 1]) for run in seeds) for r in rounds]
        found = [fmean(run[r].server or 0.0 for run in seeds) for r in rounds]
        line, = axes.plot(sent, found, marker="o", markersize=4, label=variant.removeprefix("soft-label:"))
        for run in seeds if len(seeds) > 1 else []:
            axes.plot(sent, [one.server or 0.0 for one in run], color=line.get_color(), alpha=0.2, linewidth=1)
    axes.set(xscale="log", xlabel="bytes sent by a client so far", ylabel="accuracy of the server's model")
    axes.grid(alpha=0.3, which="both")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    pyplot.close(figure)


def _read(file: Path, common: dict[str, Any]) -> Runs:
    if not file.exists():
        return {}
    stored = json.loads(file.read_text())
    if stored["settings"] != common:
        changed = sorted(k for k in common if stored["settings"].get(k) != common[k])
        sys.exit(f"{file} was measured with another {', '.join(changed)}; name another file")
    return {(r["variant"], r["split"], r["seed"]): [Round(**one) for one in r["rounds"]] for r in stored["runs"]}


def _write(file: Path, common: dict[str, Any], runs: Runs) -> None:
    entries = [{"variant": v, "split": s, "seed": seed, "rounds": [asdict(one) for one in rounds]}
               for (v, s, seed), rounds in runs.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"settings": common, "runs": entries}))


if __name__ == "__main__":
    main()
