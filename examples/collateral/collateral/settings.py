"""The run-config as a dataclass: an unknown or misspelt key is an error."""

from dataclasses import dataclass

from flwr.app import Context

from flwr_chainfl.config import from_run_config

HONEST = "honest"
BEHAVIOURS = (HONEST, "noise", "lying", "silent")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pyproject.toml's [tool.flwr.app.config] holds."""

    dataset: str
    data_folder: str
    behaviours: str
    num_rounds: int
    num_clients: int
    dirichlet: float
    held_out: float
    local_epochs: int
    learning_rate: float
    batch_size: int
    threshold: float
    encryption: str
    aggregate: str
    top: int
    reward: float
    store: str
    run_directory: str
    seed: int

    def __post_init__(self) -> None:
        for name in self.behaviours.split():
            if name not in BEHAVIOURS:
                raise ValueError(f"behaviour {name!r} is unknown; choose among {', '.join(BEHAVIOURS)}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held-out is {self.held_out}; a share above 0 and below 1 is needed")

    def behaviour(self, partition: int) -> str:
        """Return what a worker does."""
        names = self.behaviours.split()
        return names[partition] if partition < len(names) else HONEST


def read_settings(context: Context) -> Settings:
    """Read the run-config."""
    return from_run_config(Settings, context.run_config)
