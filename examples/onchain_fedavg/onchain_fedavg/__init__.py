"""FedAvg on chain: a standalone Flower app."""
