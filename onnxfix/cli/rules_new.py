"""Write the skeleton of a rule: a small rule that works, to be changed into yours."""

from __future__ import annotations

import argparse
import re
from itertools import count
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.report.text import visible

SKELETON = """\
code = "{code}"
name = "{name}"                # the defect, in small letters and hyphens
level = "warning"              # error: a runtime or TensorRT refuses it; warning: worth cleaning; note: no defect
applicability = "safe"         # safe: the outputs stay equal; unsafe: they may change; display: only shown
summary = "Two negations in a row do nothing"
why = \"\"\"
What fails, since when, and the exact message that people see.
\"\"\"
safety = \"\"\"
Why the repair keeps the outputs.
\"\"\"
opset = "7.."                  # the opsets in which the rule looks; leave it out for all
# target = {{ track = "trt", from = "8.0", before = "10.0" }}

[[rewrite]]
match = '''
t = Neg(x)
y = Neg(t)
'''
# where = 'dtype("x") == "float"'
with = 'y = Identity(x)'

[[examples]]
note = "what this shows"
before = '''<ir_version: 8, opset_import: ["" : 13]>
g (float[2,3] x) => (float[2,3] z)
{{ t = Neg(x)
  y = Neg(t)
  z = Relu(y) }}'''
after = '''<ir_version: 8, opset_import: ["" : 13]>
g (float[2,3] x) => (float[2,3] z)
{{ y = Identity(x)
  z = Relu(y) }}'''

[[examples]]
note = "an example without `after`: here the rule must stay silent, because another node reads t"
before = '''<ir_version: 8, opset_import: ["" : 13]>
g (float[2,3] x) => (float[2,3] y, float[2,3] z)
{{ t = Neg(x)
  y = Neg(t)
  z = Relu(t) }}'''
"""


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("name", metavar="NAME", help="small letters and hyphens, such as double-negation")
    parser.add_argument("-d", "--dir", metavar="DIR", type=Path, default=Path(), help="where (default: here)")


def run(options: argparse.Namespace) -> int:
    """Write DIR/NAME.toml under the next free code; an existing file stays as it is."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", options.name):
        raise OnnxfixError(f"{options.name!r} is no name of a rule", hint="small letters and hyphens: double-negation")
    path = options.dir / f"{options.name}.toml"
    text = SKELETON.format(code=_free_code(options.dir, options.name), name=options.name)
    try:
        options.dir.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OnnxfixError(f"cannot be written: {error.strerror}", where=str(path)) from None
    print(f"Wrote {visible(str(path), 400)}; change it, then run: onnxfix rules test {visible(str(options.dir), 400)}")
    return 0


def _free_code(folder: Path, name: str) -> str:
    """The first of USR001, USR002 … that no rule has."""
    from onnxfix.fixpoint.catalogue import load_rules

    rules = load_rules((folder,) if folder.is_dir() else ())
    if any(rule.name == name for rule in rules):
        raise OnnxfixError(f"a rule is called {name!r} already", hint=f"`onnxfix rules {name}` explains it")
    taken = {rule.code for rule in rules}
    return next(code for code in (f"USR{number:03}" for number in count(1)) if code not in taken)
