"""The run-config as a dataclass: an unknown or misspelt key is an error."""

from dataclasses import dataclass

from flwr.app import Context

from flwr_chainfl.config import from_run_config


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pyproject.toml's [tool.flwr.app.config] holds."""

    strategy: str
    dataset: str
    data_folder: str
    num_rounds: int
    num_clients: int
    alpha: float
    local_epochs: int
    learning_rate: float
    batch_size: int
    public_inputs: int
    public_set: str
    free_riders: int
    consensus_weight: float
    entropy_temperature: float
    reward: float
    ledger: str
    keystore: str
    store: str
    challenge_seconds: int
    run_directory: str
    seed: int


def read_settings(context: Context) -> Settings:
    """Read the run-config."""
    return from_run_config(Settings, context.run_config)
