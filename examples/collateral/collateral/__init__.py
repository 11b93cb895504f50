"""Collateral and peer review on hand-written digits: a standalone Flower app."""
