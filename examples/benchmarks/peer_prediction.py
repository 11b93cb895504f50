"""Measure what correlated agreement pays for each behaviour, against exact theory, and output agreement beside it.

Run from the project's root:

    python -m examples.benchmarks.peer_prediction [--draws 2000] [--plot FILE.png] [--out FILE.json]

A draw is a round of 10 participants with new inputs, reports and seed. All behaviours of a draw have the same inputs, honest
peers and seed, so that differences between behaviours are of pairs. The scores are those of the package's own functions, on
which the contracts agree bit for bit. What an interval is checked against is in `pair_theory`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import NormalDist

import numpy as np
from scipy.stats import binom

from examples.benchmarks.peer_behaviours import BEHAVIOURS, World
from examples.benchmarks.peer_simulation import CONFIDENCE, QUANTILE, Result, simulate
from flwr_chainfl.crypto.commitment import commitment, payload_hash

COPIER = "copied commitment"


def copies_opened(draws: int) -> int:
    """Return how often somebody who copied a commitment can open it, though told the other's payload and salt."""
    generator, opened = np.random.default_rng(0), 0
    task, author, copier = (f"0x{digit * 40}" for digit in "123")
    for number in range(draws):
        content = payload_hash(generator.bytes(32), generator.bytes(100))
        terms = {"chain_id": 1, "task": task, "round_number": number + 1, "payload": content, "salt": generator.bytes(32)}
        opened += commitment(participant=copier, **terms) == commitment(participant=author, **terms)
    return opened


def verdict(results: Sequence[Result]) -> str:
    """Say what a row shows, over the accuracies of the honest."""
    name, many = results[0].behaviour, len(results)
    inside = sum(not r.score.misses(r.theory) for r in results)
    behaviour = BEHAVIOURS[name]
    if behaviour.earns == "truth" and all(r.same_as_honest for r in results):
        return "cannot be told from the honest: the same score in every draw"
    if behaviour.earns == "0" and all(r.score.half == 0 and r.score.mean == 0 for r in results):
        text = "0 in every draw"
    else:
        text = f"{'0' if behaviour.earns == '0' else 'theory'} inside {inside} of {many}"
    if results[0].output_theory is not None:
        text += f"; output agreement: {sum(not r.output.misses(0) for r in results)} of {many}"
    return text


def compared(result: Result) -> str:
    """Say whether a behaviour earns less (<), more (>), the same (=) as the honest, or what cannot be told (≈)."""
    if result.same_as_honest:
        return "="
    if not result.against_honest.misses(0):
        return "≈"
    return "<" if result.against_honest.mean < 0 else ">"


def rows_of(results: Iterable[Result]) -> dict[tuple[int, float, int, str], list[Result]]:
    """Return results by classes, commonest class, tasks and behaviour."""
    rows: dict[tuple[int, float, int, str], list[Result]] = {}
    for result in results:
        world = result.world
        rows.setdefault((world.classes, world.commonest, world.tasks, result.behaviour), []).append(result)
    return rows


def print_table(results: Sequence[Result], draws: int) -> None:
    """Print one Markdown table, a row for each behaviour in each kind of round."""
    accuracies = list(dict.fromkeys(r.world.accuracy for r in results))
    shown = accuracies.index(min(accuracies, key=lambda a: abs(a - 0.7)))
    print("| K | commonest class | tasks | behaviour "
          + "".join(f"| score, honest at {a:g} " for a in accuracies)
          + "| theory | to honest | verdict "
          + "".join(f"| output agreement, {a:g} " for a in accuracies)
          + f"| pay at {accuracies[shown]:g}, of the honest: any score / 2 deviations or more | calibration leaves in |")
    print("|" + "---|" * (9 + 2 * len(accuracies)))
    for (classes, commonest, tasks, name), row in rows_of(results).items():
        kind = f"| {classes} | {commonest:g} | {tasks} "
        cells = "".join(f"| {r.score.mean:.3f} ± {r.score.half:.3f} " for r in row)
        outputs = "".join(f"| {r.output.mean:.2f} ± {r.output.half:.2f} " for r in row)
        theory = "0" if BEHAVIOURS[name].earns == "0" else ", ".join(f"{r.theory:.3f}" for r in row)
        chosen = row[shown]
        pay = " / ".join("–" if p is None else f"{p:.2f}" for p in (chosen.pay, chosen.pay_with_minimum))
        print(f"{kind}| {name} {cells}| {theory} | {' '.join(compared(r) for r in row)} | {verdict(row)} {outputs}"
              f"| {pay} | {chosen.counted:.2f} |".replace("-0.000 ±", "0.000 ±").replace("-0.00 ±", "0.00 ±"))
    zeros = "| 0 " * len(accuracies)
    opened = copies_opened(draws)
    print(f"| any | any | any | {COPIER} {zeros}| 0 |  | opened in {opened} of {draws} tries: not scored, slashed as a missing "
          f"reveal {zeros}| 0 / 0 | – |")


def print_chance(results: Sequence[Result], again: Sequence[Result]) -> None:
    """Print how many intervals were checked, how many missed, how many would by chance, and who missed again.

    again: the worlds in which one missed, drawn again with another seed
    """
    own = [
        r for r in results
        if r.score.half > 0 and len(BEHAVIOURS[r.behaviour].matches) == 1 and (r.behaviour == "honest" or not r.same_as_honest)
    ]
    compared_to_honest = sum(not r.same_as_honest for r in results)
    groups = {
        "score, theory of any value": [r.score.misses(r.theory) for r in own],
        "of them, where theory says 0": [r.score.misses(0) for r in own if abs(r.theory) < 1e-12],
        "output agreement, where theory says 0": [r.output.misses(0) for r in results if r.output_theory is not None],
    }
    print(f"\n| {CONFIDENCE:.0%} intervals | checked | would miss by chance | missed | chance of so many or more |\n|{'---|' * 5}")
    for name, missed in groups.items():
        many, chance = len(missed), 1 - CONFIDENCE
        print(f"| {name} | {many} | {chance * many:.1f} | {sum(missed)} | {binom.sf(sum(missed) - 1, many, chance):.2f} |")
    worst = max(abs(r.score.mean - r.theory) / r.score.half * QUANTILE for r in own)
    bound = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * len(own)))
    print(f"\nRows that mix others, or have the honest score in every draw, are not counted again. The score farthest from theory is {worst:.2f} standard errors from "
          f"it; more than {bound:.2f} would be found in {1 - CONFIDENCE:.0%} of such runs. The {compared_to_honest} comparisons to "
          f"the honest are at {CONFIDENCE:.0%} each, too.")
    second = {(r.world, r.behaviour): r for r in again}
    zero = [r for r in results if r.output_theory is not None]
    found = [("score", r, r.score, r.theory, second[r.world, r.behaviour].score) for r in own if r.score.misses(r.theory)]
    found += [("output agreement", r, r.output, 0.0, second[r.world, r.behaviour].output) for r in zero if r.output.misses(0)]
    for kind, r, first, theory, other in found:
        w = r.world
        print(f"- Missed: {kind} of {r.behaviour}, K = {w.classes}, {w.tasks} tasks, commonest class {w.commonest:g}, honest at "
              f"{w.accuracy:g}: {first.mean:.4f} ± {first.half:.4f}, theory {theory:.4f}. With another seed: "
              f"{other.mean:.4f} ± {other.half:.4f}.")


def seed_of(seed: int, world: World) -> list[int]:
    """Return a seed of a world's own, so that a row is the same whatever else is simulated."""
    return [seed, world.classes, world.tasks, round(1e6 * world.commonest), round(1e6 * world.accuracy)]


def missed_worlds(results: Sequence[Result]) -> list[World]:
    """Return the worlds in which an interval misses what theory says."""
    missed = (r.world for r in results if r.score.misses(r.theory) or (r.output_theory is not None and r.output.misses(0)))
    return list(dict.fromkeys(missed))


def plot(results: Sequence[Result], file: Path, draws: int) -> None:
    """Write a heat map of the mean score by behaviour, accuracy of the honest, tasks and classes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(r.world.classes for r in results))
    names = list(BEHAVIOURS)
    figure = Figure(figsize=(13, (0.34 * len(names) + 1.7) * len(kinds) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    most = max(abs(r.score.mean) for r in results)
    norm = TwoSlopeNorm(0, -most, most)
    for axes, classes in zip(figure.subplots(len(kinds), 1, squeeze=False)[:, 0], kinds, strict=True):
        mine = [r for r in results if r.world.classes == classes]
        worlds = list(dict.fromkeys(r.world for r in mine))
        means = {(r.behaviour, r.world): r.score.mean for r in mine}
        grid = np.array([[means[name, world] for world in worlds] for name in names])
        image = axes.imshow(grid, cmap="RdBu", norm=norm, aspect="auto")
        for (y, x), value in np.ndenumerate(grid):
            text = f"{value:.2f}".replace("-0.00", "0.00").replace("0.", ".")
            axes.text(x, y, text, ha="center", va="center", fontsize=8, color="white" if abs(value) > 0.6 * most else "black")
        axes.set_xticks(range(len(worlds)), [f"{world.accuracy:g}".lstrip("0") for world in worlds], fontsize=9)
        axes.set_yticks(range(len(names)), names, fontsize=10)
        axes.set_xlabel("accuracy of the honest", fontsize=10)
        axes.set_title(f"K = {classes} classes", fontsize=12, pad=36)
        groups = [(world.tasks, world.commonest) for world in worlds]
        for group in dict.fromkeys(groups):
            inside = [x for x, other in enumerate(groups) if other == group]
            if inside[0]:
                axes.axvline(inside[0] - 0.5, color="black", linewidth=1.2)
            axes.text(sum(inside) / len(inside), -0.65, f"{group[0]} tasks\ncommonest class {group[1]:.0%}", ha="center", va="bottom", fontsize=9)
    figure.suptitle(f"Correlated agreement: expected score of a bonus task, mean of {draws} simulated rounds", fontsize=14)
    figure.colorbar(image, ax=figure.axes, label="score of a bonus task (agreement less that of penalty tasks)", shrink=0.7, pad=0.01)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Print the table, and write the heat map and all figures where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000, help="rounds of each kind; 2 or more")
    parser.add_argument("--accuracies", type=float, nargs="+", default=[0.3, 0.5, 0.7, 0.9], help="of the honest")
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 10])
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 500, 5000])
    parser.add_argument("--skewed-tasks", type=int, nargs="*", default=[500], help="tasks of the rounds with skewed classes")
    parser.add_argument("--commonest", type=float, default=0.7, help="share of the commonest class in those")
    parser.add_argument("--bonus-tasks", type=int, help="of each pair; all tasks where not given")
    parser.add_argument("--stale", type=float, default=0.6, help="accuracy of the previous consensus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, default=Path("peer-prediction.png"))
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    arguments = parser.parse_args()
    if arguments.draws < 2:
        parser.error(f"--draws {arguments.draws} is below 2; an interval needs 2 or more")
    start = time.process_time()
    results: list[Result] = []
    for classes in arguments.classes:
        kinds = [(tasks, 1 / classes) for tasks in arguments.tasks] + [(tasks, arguments.commonest) for tasks in arguments.skewed_tasks]
        for (tasks, commonest), accuracy in product(kinds, arguments.accuracies):
            world = World(classes=classes, tasks=tasks, commonest=commonest, accuracy=accuracy, stale=arguments.stale)
            seed = seed_of(arguments.seed, world)
            results += simulate(world, draws=arguments.draws, bonus_tasks=arguments.bonus_tasks, seed=seed)
    print_table(results, arguments.draws)
    again: list[Result] = []
    for world in missed_worlds(results):
        seed = [*seed_of(arguments.seed, world), 1]
        again += simulate(world, draws=arguments.draws, bonus_tasks=arguments.bonus_tasks, seed=seed)
    print_chance(results, again)
    print(f"\n{arguments.draws} draws of each kind of round, {time.process_time() - start:.0f} CPU seconds.")
    plot(results, arguments.plot, arguments.draws)
    if arguments.out:
        arguments.out.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
