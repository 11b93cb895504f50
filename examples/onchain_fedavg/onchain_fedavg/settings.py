"""The run-config as a dataclass: an unknown or misspelt key is an error."""

from dataclasses import dataclass

from flwr.app import Context

from flwr_chainfl.config import from_run_config


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pyproject.toml's [tool.flwr.app.config] holds."""

    strategy: str
    settlement: str
    ledger: str
    keystore: str
    bits: int
    shapley_every: int
    gas_cap: int
    num_rounds: int
    num_clients: int
    dirichlet: float
    local_epochs: int
    learning_rate: float
    batch_size: int
    reward: float
    run_directory: str
    seed: int

    def __post_init__(self) -> None:
        if self.strategy not in ("alignment", "fedavg"):
            raise ValueError(f"strategy is {self.strategy!r}; choose alignment or fedavg")


def read_settings(context: Context) -> Settings:
    """Read the run-config."""
    return from_run_config(Settings, context.run_config)
