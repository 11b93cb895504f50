"""The run-config as a dataclass: an unknown or misspelt key is an error."""

from dataclasses import dataclass

from flwr.app import Context

from flwr_chainfl.config import from_run_config

BEHAVIOURS = ("noise", "flip", "noise-flip")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pyproject.toml's [tool.flwr.app.config] holds."""

    strategy: str
    dataset: str
    data_folder: str
    train_images: int
    num_rounds: int
    num_clients: int
    workers: int
    validators: int
    miners: int
    shards: int
    held_out: str
    malicious: int
    behaviour: str
    noise: float
    threshold: float
    retrained: bool
    exclude_after: int
    local_epochs: int
    learning_rate: float
    batch_size: int
    temperature: float
    keep_content: bool
    reward: float
    run_directory: str
    seed: int

    def __post_init__(self) -> None:
        if self.behaviour not in BEHAVIOURS:
            raise ValueError(f"behaviour is {self.behaviour!r}; choose one of {', '.join(BEHAVIOURS)}")
        if self.held_out not in ("shared", "own"):
            raise ValueError(f"held-out is {self.held_out!r}; choose shared or own")

    def does(self, partition: int, harm: str) -> bool:
        """Say whether a client does a kind of harm."""
        return partition < self.malicious and harm in self.behaviour.split("-")


def read_settings(context: Context) -> Settings:
    """Read the run-config."""
    return from_run_config(Settings, context.run_config)
