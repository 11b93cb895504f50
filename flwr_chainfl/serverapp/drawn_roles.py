"""Who does what in a round, as the ledger draws it."""

from __future__ import annotations

from flwr_chainfl.errors import ContractError
from flwr_chainfl.roles import Everyone, Role, Rotation
from flwr_chainfl.serverapp.relay import Relay


def next_roles(relay: Relay, roles: Rotation | Everyone) -> dict[str, Role]:
    """Return who does what in the round that is opened next; empty where everybody is a worker.

    Raises TooFewForRolesError when the members are too few, or the shares leave no worker.
    """
    if not isinstance(roles, Rotation):
        return {}
    try:
        drawn = relay.task.roles_of(relay.task.round_number + 1)
    except ContractError as error:
        if error.name == "TooFewForRoles":
            roles.counts(int(error.arguments["members"]))
        raise
    roles.counts(len(drawn))
    return drawn
