"""Programs that measure what docs/benchmarks.md shows."""
