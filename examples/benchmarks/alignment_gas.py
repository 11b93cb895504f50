"""Gas of FedAvg on chain, on anvil with its blocks of 60 million gas: docs/benchmarks.md, "Alignment"."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from web3 import Web3

from flwr_chainfl import AllowList
from flwr_chainfl.crypto import Signature, TypedData, VectorTree, Wallet, commitment, keccak256, payload_hash
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import (
    Average,
    CommitRequest,
    JoinRequest,
    Ledger,
    Result,
    Reveal,
    Settings,
    Task,
    VectorSet,
)
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.rewards import Consistency
from flwr_chainfl.scoring import Alignment, VectorReport
from tests.nodes import running_anvil

MOST_IN_ONE_TRANSACTION = 16_777_216  # EIP-7825
PAPER_PER_PARAMETER, PAPER_REGISTRATION = 47_000, 45_373


def vectors(scorer: Alignment, clients: int) -> tuple[VectorSet, dict[bytes, VectorTree]]:
    """Return random vectors of the full range, in which hardly a byte is 0, so that calldata costs what it can."""
    rng = np.random.default_rng(0)
    limit = 2 ** (scorer.bits - 1)
    trees = [
        VectorTree(pack(rng.integers(-limit, limit, scorer.parameters), bits=scorer.bits), scorer.unit)
        for _ in range(clients)
    ]
    reports = [VectorReport(100, 2.0**-12, tree.root).pack() for tree in trees]
    chosen = VectorSet(seed=rng.bytes(32), reports=reports, declared=[100] * clients)
    return chosen, {tree.root: tree for tree in trees}


def floor(trees: dict[bytes, VectorTree]) -> int:
    """Return what the vectors' calldata costs at least: 40 gas a byte, 10 where it is 0 (EIP-7623)."""
    return sum(40 * len(tree.data) - 30 * tree.data.count(0) for tree in trees.values())


def averages(ledger: Ledger, cases: list[tuple[int, int, int, bool]]) -> Iterator[dict[str, Any]]:
    """Measure averaging and scoring, a row a case: parameters, clients, bits, whether the average is kept as code."""
    for parameters, clients, bits, kept in cases:
        scorer = Alignment(parameters=parameters, bits=bits)
        chosen, trees = vectors(scorer, clients)
        average = Average(ledger.chain, ledger.deploy(scorer.contract, scorer.arguments))
        receipts = average.compute(chosen, trees, kept=kept)
        used = [receipt.gas_used for receipt in receipts]
        assert max(used) <= MOST_IN_ONE_TRANSACTION
        yield {
            "parameters": parameters, "clients": clients, "bits": bits, "kept": kept, "gas": sum(used),
            "floor": floor(trees), "transactions": len(used), "largest": max(used),
            "paper": PAPER_PER_PARAMETER * parameters if clients == 10 else None,
        }


def joined(ledger: Ledger, wallets: list[Wallet], *, stake: int) -> tuple[Task, int]:
    """Return a task that wallets, ascending by address, have joined in one batch, and the gas of that."""
    token = ledger.deploy_token()
    scorer, schedule = Alignment(parameters=100_000), Consistency()
    ledger.mint(token, [ledger.chain.wallet.address, *(w.address for w in wallets)], 10_000 * WAD)
    task = ledger.deploy_task(Settings(
        token=token, scorer=ledger.deploy(scorer.contract, scorer.arguments),
        schedule=ledger.deploy(schedule.contract, schedule.arguments), minimum_stake=stake, bond=WAD, slash_per_score=WAD,
        slash_floor=10 * WAD, minimum_members=1, maximum_members=len(wallets), commit_seconds=60, reveal_seconds=60,
        settle_seconds=600, challenge_seconds=60, missing_slash_bps=0, late_join=False, streak_cap=5,
    ))  # fmt: skip
    task.initialize("terms", rounds=2, pool=200 * WAD)
    deadline, domain = 2**40, ledger.token_domain(token)
    joins = []
    for wallet in wallets:
        wish = {"participant": wallet.address, "stake": stake, "samples": 100, "departures": 0, "deadline": deadline}
        permit = {"owner": wallet.address, "spender": task.address, "value": stake, "nonce": 0, "deadline": deadline}
        joins.append(JoinRequest(
            participant=wallet.address, stake=stake, samples=100, deadline=deadline,
            signature=wallet.sign(TypedData(domain=task.domain, primary="Join", message=wish)),
            permit=wallet.sign(TypedData(domain=domain, primary="Permit", message=permit)),
        ))  # fmt: skip
    return task, task.join_for(joins).gas_used


def rounds(ledger: Ledger, clients: int) -> dict[str, Any]:
    """Measure joining, and the second round of an optimistic task, whose every account was paid before."""
    wallets = sorted((Wallet.derived(1, f"client {i}") for i in range(clients)), key=lambda w: int(w.address, 16))
    _, unstaked = joined(ledger, wallets, stake=0)
    task, staked = joined(ledger, wallets, stake=WAD)
    task.start()
    report = VectorReport(100, 2.0**-12, bytes(range(32))).pack()
    content, salt = keccak256(b"content"), keccak256(b"salt")
    used: dict[str, int] = {}
    for number in (1, 2):
        used = {"open": task.next_round().gas_used}
        requests, reveals = [], []
        for wallet in wallets:
            committed = commitment(
                chain_id=ledger.chain.chain_id, task=task.address, round_number=number, participant=wallet.address,
                payload=payload_hash(content, report), salt=salt,
            )
            statement = {"participant": wallet.address, "round": number, "commitment": committed}
            signature: Signature = wallet.sign(TypedData(domain=task.domain, primary="Commit", message=statement))
            requests.append(CommitRequest(participant=wallet.address, commitment=committed, signature=signature))
            reveals.append(Reveal(
                participant=wallet.address, content_digest=content, report_hash=keccak256(report), salt=salt
            ))
        used["commit"] = task.commit_for(number, requests).gas_used
        used["reveal"] = task.reveal(number, reveals).gas_used
        result = Result(
            participants=tuple(w.address for w in wallets), scores=(WAD // clients,) * clients, qualities=(WAD,) * clients
        )
        used["post"] = task.post_scores(number, result).gas_used
        provider = ledger.chain.web3.provider
        provider.make_request("evm_setNextBlockTimestamp", [task.round(number).settle_deadline + 1])
        provider.make_request("evm_mine", [])
        used["pay"] = task.distribute_rewards(number, result).gas_used
    return {"clients": clients, "join": staked, "join without stake": unstaked, **used, "each": sum(used.values()) // clients}


def registration(ledger: Ledger, clients: int) -> dict[str, Any]:
    """Measure what admitting clients by the root of a list costs, their stakes apart."""
    allowed = AllowList([Wallet.derived(2, f"client {i}").address for i in range(clients)])
    before = ledger.chain.web3.eth.get_block("latest")["number"]
    ledger.deploy(allowed.contract, allowed.arguments)
    block = ledger.chain.web3.eth.get_block(before + 1)
    return {"clients": clients, "gas": int(block["gasUsed"]), "each": int(block["gasUsed"]) // clients}


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    """Draw gas over parameters, both logarithmic, beside the paper's figure and the calldata floor."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    for bits, kept, style in ((16, False, "o-"), (16, True, "o--"), (8, False, "s-"), (8, True, "s--")):
        chosen = [r for r in rows if (r["bits"], r["kept"], r["clients"]) == (bits, kept, 10)]
        label = f"int{bits}, average {'kept as code' if kept else 'in the log'}"
        axes.loglog([r["parameters"] for r in chosen], [r["gas"] for r in chosen], style, label=label)
    chosen = [r for r in rows if (r["bits"], r["kept"], r["clients"]) == (16, False, 10)]
    sizes = [r["parameters"] for r in chosen]
    axes.loglog(sizes, [r["floor"] for r in chosen], "k:", label="floor of the calldata, int16")
    axes.loglog(sizes, [PAPER_PER_PARAMETER * p for p in sizes], "r-", label="paper: 47,000 a parameter")
    axes.axhline(PAPER_REGISTRATION * 10, color="r", linestyle=":", label="paper: registering 10 clients")
    axes.set(xlabel="parameters", ylabel="gas of a round, 10 clients")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=120, metadata={"Software": None})


def main() -> None:
    """Measure, print a line a row, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--plot", type=Path, help="draw gas over parameters here")
    options = parser.parse_args()
    cases = [(p, 10, b, k) for p in (10, 100, 1000, 10_000, 100_000) for b in (16, 8) for k in (False, True)]
    cases += [(1000, clients, 16, k) for clients in (50, 100) for k in (False, True)]
    wallet = Wallet.derived(0, "requester")
    with running_anvil("--gas-limit", "60000000") as url:
        Web3(Web3.HTTPProvider(url)).provider.make_request("anvil_setBalance", [wallet.address, hex(10**24)])
        ledger = Ledger.open(url, wallet=wallet)
        rows = []
        for row in averages(ledger, cases):
            rows.append(row)
            print(json.dumps(row), flush=True)
        tasks = [rounds(ledger, clients) for clients in (10, 50, 100)]
        roots = registration(ledger, 1000)
    for entry in (*tasks, roots):
        print(json.dumps(entry))
    if options.json:
        options.json.write_text(json.dumps({"averages": rows, "tasks": tasks, "root": roots}, indent=1) + "\n")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
