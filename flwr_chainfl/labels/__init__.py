"""Reports to consensus labels."""

from flwr_chainfl.labels.consensus import hard_labels, majority_vote, mean_soft_labels, validate_soft_labels

__all__ = ["hard_labels", "majority_vote", "mean_soft_labels", "validate_soft_labels"]
