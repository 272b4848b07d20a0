"""The peers, each as people call it; these run in the sandbox because some of them crash."""

from __future__ import annotations

import contextlib
from pathlib import Path

import onnx


def onnxsim(path: str, output: str) -> None:
    """onnxsim.simplify with its defaults; raises when its own check fails."""
    import onnxsim as peer

    with contextlib.chdir(Path(output).parent):  # the peers leave files where they run
        simplified, sound = peer.simplify(onnx.load(path))
    if not sound:
        raise ValueError("onnxsim's own check failed")
    onnx.save(simplified, output)


def onnxslim(path: str, output: str) -> None:
    """onnxslim.slim with its defaults."""
    import onnxslim as peer

    with contextlib.chdir(Path(output).parent):
        slimmed = peer.slim(onnx.load(path))
    if slimmed is None:
        raise ValueError("onnxslim gave no model")
    onnx.save(slimmed, output)


def polygraphy(path: str, output: str) -> None:
    """`polygraphy surgeon sanitize --fold-constants --cleanup`, by its own modules."""
    import onnx_graphsurgeon as gs
    from polygraphy.backend.onnx import fold_constants

    with contextlib.chdir(Path(output).parent):
        graph = gs.import_onnx(fold_constants(onnx.load(path)))
        onnx.save(gs.export_onnx(graph.cleanup().toposort()), output)


def version_converter(data: bytes, to: int) -> bytes:
    """onnx.version_converter.convert_version; it raises for what it does not know."""
    import onnx.version_converter

    return onnx.version_converter.convert_version(onnx.ModelProto.FromString(data), to).SerializeToString()


def onnxscript(data: bytes, to: int) -> bytes:
    """onnxscript.version_converter.convert_version without its fallback, which is the converter of onnx."""
    from onnxscript import version_converter as peer

    model = onnx.ModelProto.FromString(data)
    peer.convert_version(model, to)
    return model.SerializeToString()
