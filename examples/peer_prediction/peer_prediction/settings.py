"""The run-config as a dataclass: an unknown or misspelt key is an error."""

from dataclasses import dataclass

from flwr.app import Context

from flwr_chainfl.config import from_run_config

HONEST = "honest"
BEHAVIOURS = {
    "soft-labels": (
        HONEST, "constant", "random", "prior-sampling", "consensus-copying", "commitment-copying", "colluding", "relabelling"
    ),
    "weights": (HONEST, "constant", "random", "commitment-copying"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pyproject.toml's [tool.flwr.app.config] holds."""

    exchange: str
    scorer: str
    settlement: str
    behaviours: str
    num_rounds: int
    num_clients: int
    dirichlet: float
    local_epochs: int
    learning_rate: float
    batch_size: int
    public_inputs: int
    known_labels: int
    signals: int
    levels: int
    alpha: float
    reward: float
    run_directory: str
    seed: int

    def __post_init__(self) -> None:
        if self.exchange not in BEHAVIOURS:
            raise ValueError(f"exchange is {self.exchange!r}; choose {' or '.join(BEHAVIOURS)}")
        possible = BEHAVIOURS[self.exchange]
        for name in self.behaviours.split():
            if name not in possible:
                raise ValueError(f"behaviour {name!r} is unknown for {self.exchange}; choose among {', '.join(possible)}")

    def behaviour(self, partition: int) -> str:
        """Return what a client does."""
        names = self.behaviours.split()
        return names[partition] if partition < len(names) else HONEST


def read_settings(context: Context) -> Settings:
    """Read the run-config."""
    return from_run_config(Settings, context.run_config)
