"""Who may join a task: a list of addresses, or invitations that somebody signed."""

from flwr_chainfl.admission.admission import Admission
from flwr_chainfl.admission.allow_list import AllowList, read_list
from flwr_chainfl.admission.invitations import ANY_TASK, Invitations, read_invitation
from flwr_chainfl.admission.merkle import MerkleTree

__all__ = ["ANY_TASK", "Admission", "AllowList", "Invitations", "MerkleTree", "read_invitation", "read_list"]
