"""What workers do that would rather be paid than work: all of it through the messages that honest workers send too."""

import torch
from flwr.app import ArrayRecord, Context, Message

from collateral.settings import read_settings
from flwr_chainfl import ChainClientApp
from flwr_chainfl.errors import ReportError
from flwr_chainfl.messages import TYPE_REVIEW


def behaviour_of(context: Context) -> str:
    """Return what this worker does."""
    return read_settings(context).behaviour(int(context.node_config["partition-id"]))


def noise(arrays: ArrayRecord) -> ArrayRecord:
    """Return a model of random noise, as large as the one that came: the paper's malicious worker."""
    state = arrays.to_torch_state_dict()
    return ArrayRecord({name: 0.1 * torch.randn_like(value) for name, value in state.items()})


class Participant(ChainClientApp):
    """A worker, of which some lie about the others' models, or do not review them."""

    reviewing = False

    def __call__(self, message: Message, context: Context) -> Message:
        """Execute the app; note whether it is asked for a review."""
        self.reviewing = message.metadata.message_type == TYPE_REVIEW
        if self.reviewing and behaviour_of(context) == "silent":
            raise ReportError("this worker does not review")
        return super().__call__(message, context)
