"""Measurements: `python -m benchmarks.rescue`, `python -m benchmarks.opset`, `python -m benchmarks.speed`."""
