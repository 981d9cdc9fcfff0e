"""Benchmarks: real processes over loopback HTTP, each figure beside its floor. See docs/performance.md."""
