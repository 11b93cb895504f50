"""Three architectures in one federation."""
