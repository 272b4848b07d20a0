"""The parser alone: what it refuses, without the time that a build takes."""

from __future__ import annotations

from pathlib import Path

from onnxfix import sandbox
from onnxfix.engine.backend import choose, load
from onnxfix.engine.builder import parser_errors
from onnxfix.engine.log import logger
from onnxfix.engine.options import network_flags
from onnxfix.engine.records import EngineError


def parse(path: Path, flavour: str | None = None, timeout: float = 300.0) -> tuple[EngineError, ...]:
    """The parser's errors for an ONNX file, none when it takes it. `timeout` is in seconds.

    Raises OnnxfixError when the library is not installed, and SandboxFailure when it crashes or takes too long.
    """
    name = choose(flavour).name
    found = sandbox.default().call("onnxfix.engine.parse:parse_here", str(path.absolute()), name, timeout=timeout)
    return tuple(found)


def parse_here(path: str, flavour: str) -> tuple[EngineError, ...]:
    """`parse` in this process."""
    module = load(flavour)
    log = logger(module)
    network = module.Builder(log).create_network(network_flags(module, False))
    parser = module.OnnxParser(network, log)
    if parser.parse_from_file(path):
        return ()
    errors = tuple(parser_errors(parser))
    texts = log.take() or ["the parser gave no reason"]
    return errors or tuple(EngineError("INTERNAL_ERROR", text) for text in texts)
