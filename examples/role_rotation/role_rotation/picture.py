"""Who did what in which round, how often each worker was accepted, and everybody's stake and income over time."""

from pathlib import Path

from flwr_chainfl.fixedpoint import from_wad

COLOURS = {"worker": "#4c78a8", "validator": "#f58518", "miner": "#54a24b"}
REJECTED = "#e45756"


def draw(record: dict, names: dict[str, int], malicious: int, path: Path) -> Path:
    """Write the picture of a run record; names: client by address, the malicious ones first."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 9), layout="constrained")
    roles, bars, stakes = figure.subplots(3, 1, height_ratios=[3, 2, 2])
    worked, entered = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    worth = {address: [from_wad(int(record["config"]["settings"]["minimum_stake"]))] for address in names}
    for entry in record["rounds"]:
        acted = {one["address"]: one for one in entry["contributions"]}
        accepted = set(entry["accepted"] or [])
        for address, client in names.items():
            one = acted.get(address)
            gained = from_wad(int(one["paid"]) - int(one["slashed"])) if one is not None else 0.0
            worth[address].append(worth[address][-1] + gained)
            role = entry["roles"].get(address)
            if role is None:
                continue
            colour = COLOURS[role]
            if role == "worker" and one is not None:
                worked[address] += 1
                entered[address] += address in accepted
                colour = colour if address in accepted else REJECTED
            roles.scatter(entry["number"], client, color=colour, marker="s", s=60, alpha=1.0 if one is not None else 0.25)
    labels = [*COLOURS.items(), ("worker, rejected", REJECTED)]
    roles.legend(handles=[Patch(color=colour, label=label) for label, colour in labels], loc="upper left", bbox_to_anchor=(1, 1))
    roles.axhline(malicious - 0.5, color="black", linewidth=0.8, linestyle=":")
    roles.set(xlabel="round", ylabel="client (malicious below the line)", title="Roles")
    order = sorted(names, key=lambda address: names[address])
    shares = [entered[a] / worked[a] if worked[a] else 0.0 for a in order]
    bars.bar([names[a] for a in order], shares, color=[REJECTED if names[a] < malicious else COLOURS["worker"] for a in order])
    bars.set(xlabel="client", ylabel="accepted, share", ylim=(0, 1), title="Rounds as a worker in which it was accepted")
    for address in order:
        bad = names[address] < malicious
        stakes.plot(worth[address], color=REJECTED if bad else COLOURS["worker"], linewidth=2 if bad else 1, alpha=0.8)
    stakes.set(xlabel="round", ylabel="tokens", title="Stake and income less slashes (malicious in red)")
    for axes in (roles, bars, stakes):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    roles.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(path, dpi=110)
    return path
