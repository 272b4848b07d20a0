"""The data files: every fact has a source, every value is of the vocabulary, and the records carry both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from typing import Any, get_args

import pytest
import yaml

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.targets import Target, limits, release, resolve
from onnxfix.targets.records import release_table
from onnxfix.targets.tables import AdviceName, Blocks, FactName, cite, holds, table, version_key

RELEASES = [f"{track}{key}" for track in ("trt", "rtx") for key in release_table(track)]
UNSOURCED = {"track", "key", "sources"}


@pytest.mark.parametrize("name", RELEASES)
def test_every_fact_of_a_release_has_a_source(name: str) -> None:
    facts = release(resolve(name))
    stated = {f.name for f in fields(facts) if f.name not in UNSOURCED and getattr(facts, f.name) is not None}
    assert stated == facts.sources.keys()
    assert all(facts.sources.values())


@pytest.mark.parametrize("name", (*get_args(FactName), *get_args(AdviceName)))
def test_a_table_read_by_its_blocks_is_the_whole_file(name: FactName | AdviceName) -> None:
    whole = yaml.safe_load(files("onnxfix.targets.data").joinpath(f"{name}.yaml").read_bytes())
    assert table(name) == whole
    assert [*table(name)] == [*whole]
    assert all([*table(name)[key]] == [*entry] for key, entry in whole.items() if isinstance(entry, dict))


def test_blocks() -> None:
    text = '# a\nplain: 1 # one\nlist:\n- x\n- y\ninner: # b\n\n  "5.1": {a: 1}\n  # c\n  other.key:\n    - z\n'
    found = Blocks(text)
    assert found == {"plain": 1, "list": ["x", "y"], "inner": {"5.1": {"a": 1}, "other.key": ["z"]}}
    assert len(found) == 3
    with pytest.raises(KeyError):
        found["absent"]


def facts_with_sources() -> Iterator[tuple[str, str, Any]]:
    for name in ("jetpack", "boards", "dgpus", "sm"):
        yield from (("devices", f"{name}.{key}", entry["src"]) for key, entry in table("devices")[name].items())
    for key in ("releases", "rtx_releases"):
        for name, entry in table("releases")[key].items():
            yield from (("releases", f"{name}.{fact}", v["src"]) for fact, v in entry.items() if v["value"] is not None)


def test_every_source_key_is_declared() -> None:
    undeclared = []
    for name, where, source in facts_with_sources():
        keys = source if isinstance(source, list) else [source]
        sources = table(name)["sources"]
        undeclared += [where for key in keys for part in key.split("+") if part not in sources]
    assert undeclared == []


@pytest.mark.parametrize("name", [name for name in RELEASES if name not in ("rtx1.0", "rtx1.1", "rtx1.2", "rtx1.3")])
def test_every_limit_has_a_source_and_a_known_form(name: str) -> None:
    target = resolve(name)
    found = [limit for op_type in table("operators")["ops"] for limit in limits(target, op_type)]
    assert found
    assert all(limit.source for limit in found)
    assert {limit.level for limit in found} <= {"error", "silent_wrong", "ignored", "behaviour"}
    assert {limit.stage for limit in found} <= {"parse", "build"}


def test_the_vocabulary_of_operators_is_closed() -> None:
    operators = table("operators")
    tracks = [(op[track], track) for op in operators["ops"].values() for track in ("trt", "rtx") if track in op]
    states = {entry["state"] for facts, _ in tracks for entry in facts["support"]}
    dtypes = {dtype for facts, _ in tracks for entry in facts.get("dtypes", ()) for dtype in entry["set"]}
    assert states <= set(operators["vocabulary"]["state"])
    assert dtypes <= set(operators["vocabulary"]["dtype_names"])


@pytest.mark.parametrize("track", ["trt", "rtx"])
def test_versions_sort_as_the_fact_base_orders_them(track: str) -> None:
    order = table("operators")["order"][track]
    assert sorted(order, key=version_key) == order


def test_known_facts() -> None:
    old, new, rtx = resolve("trt8.6"), resolve("trt10.16"), resolve("rtx1.7")
    assert (old.opset_max, old.narrows_int64, old.strongly_typed) == (17, True, False)
    assert (new.opset_max, new.narrows_int64, new.strongly_typed) == (24, False, False)
    assert (rtx.opset_max, rtx.narrows_int64, rtx.strongly_typed) == (None, None, True)
    assert resolve("trt11.1").strongly_typed is True
    assert resolve("rtx1.2").strongly_typed is None
    assert release(rtx).sm_targets == (75, 80, 86, 89, 120, 121)


def test_a_patch_release_keeps_what_its_base_states() -> None:
    patch, base = release(resolve("trt11.4.1")), release(resolve("trt11.4"))
    assert patch.version == "11.4.1"
    assert base.version == "11.4.0.106"
    assert patch.typing == base.typing == "strong_only"


@pytest.mark.parametrize("name", [name for name in RELEASES if name.startswith("trt")])
def test_int64_is_narrowed_exactly_before_9(name: str) -> None:
    target: Target = resolve(name)
    assert target.narrows_int64 is (version_key(target.release) < (9, 0))


def test_a_joined_source_key_is_cited_in_full() -> None:
    sources = {"a": {"url": "https://a"}, "b": {"repo": "o/r", "tag": "v1", "file": "f.md"}}
    assert cite("a+b", sources) == "https://a; o/r, f.md (v1)"


@pytest.mark.parametrize(
    ("query", "loaded"),
    [
        ("T.devices()", {"devices"}),
        ("T.resolve('trt8.6').opset_max", {"devices", "releases"}),
        ("T.explain_message('x')", {"parser_errors"}),
        ("T.limits(T.Target('trt8.6', 'trt', '8.6'), 'TopK')", {"operators"}),
    ],
)
def test_a_query_reads_only_the_files_it_needs(query: str, loaded: set[str]) -> None:
    script = f"""
import sys
import onnxfix.targets.tables as tables
import onnxfix.targets as T
read, plain = set(), tables.files
class Folder:
    def joinpath(self, name):
        read.add(name.removesuffix(".yaml"))
        return plain("onnxfix.targets.data").joinpath(name)
tables.files = lambda package: Folder()
assert "yaml" not in sys.modules
{query}
print(*sorted(read))
assert not {{"onnxruntime", "tensorrt", "tensorrt_rtx", "rich"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == loaded


def test_what_is_silently_wrong_has_a_rule_that_says_so() -> None:
    silent = [rule for rule in load_rules() if rule.kind == "silent_wrong" and rule.target is not None]
    for op_type, facts in table("operators")["ops"].items():
        for track in ("trt", "rtx"):
            for limit in facts.get(track, {}).get("limits", ()):
                if limit.get("level") == "silent_wrong":
                    version = "7.2" if track == "trt" else "1.7"
                    assert holds(limit, version), (op_type, limit)
                    told = [rule for rule in silent if op_type in rule.parameters.get("operators", ())]
                    assert any(rule.target and rule.target.covers(track, version) for rule in told), (op_type, limit)
