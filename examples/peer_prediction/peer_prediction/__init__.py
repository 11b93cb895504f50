"""Peer prediction on hand-written digits: a standalone Flower app."""
