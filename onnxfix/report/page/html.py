"""The page around a document: styles, the two libraries and the script, all in one file that asks for nothing else."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from pathlib import Path

from onnxfix.files import write_whole
from onnxfix.report.page.document import Document

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
_SCRIPTS = ("cytoscape.min.js", "dagre.min.js", "layered.js", "drawing.js", "panels.js", "page.js")


def write(place: Path, document: Document) -> None:
    """Write the page whole or not at all.  Raises ModelFileError when the file cannot be written."""
    write_whole(place, page(document).encode())


def page(document: Document) -> str:
    """The whole page."""
    name = document["after"] if document["mode"] == "show" else f"{document['before']} → {document['after']}"
    body = _asset("page.html").replace("%TITLE%", escape(name))
    scripts = "\n".join(f"<script>\n{_asset(script)}\n</script>" for script in _SCRIPTS)
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{escape(name)}</title>\n"
        f"<style>\n{_asset('page.css')}\n</style></head>\n<body>\n{body}\n"
        f"<script type='application/json' id='document'>{_harmless(document)}</script>\n{scripts}\n</body></html>\n"
    )


def _harmless(document: Document) -> str:
    """JSON that cannot end its script element: ASCII without `<`, `>` and `&`."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return files("onnxfix.report").joinpath("assets", name).read_text(encoding="utf-8")
