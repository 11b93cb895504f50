"""The client side: a ClientApp that signs what it contributes."""

from flwr_chainfl.clientapp.app import ChainClientApp

__all__ = ["ChainClientApp"]
