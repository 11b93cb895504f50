"""What a developer of the package runs; none of it is installed."""
