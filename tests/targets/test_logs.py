"""Logs: colours, line ends, wrapped lines, repeats and size make no difference."""

from __future__ import annotations

import io
import resource
import textwrap
import time

import pytest

from onnxfix.targets import Log, advise
from onnxfix.targets.logs import DISTINCT, JOINED, LONGEST

SAID = (
    "[11/22/2024-13:40:47] [E] Error[10]: IBuilder::buildSerializedNetwork: Error Code 10: Internal Error (Could not "
    "find any implementation for node {ForeignNode[/1/Constant_36_output_0.../1/Slice_4]}.)"
)


def told(text: str) -> list[tuple[str, int, int]]:
    return [(advice.id, advice.line, advice.count) for advice in advise(text)]


@pytest.mark.parametrize(
    "text",
    [
        f"\x1b[31m{SAID}\x1b[0m",
        SAID.replace("any implementation", "\x1b[1many\x1b[0m \x1b[38;5;9mimplementation\x1b[m"),
        SAID.replace("any implementation", "any^[[0m implementation"),
        SAID.replace("any implementation", "any[0;31m implementation"),
        f"2024-11-22T13:40:47.1Z engine  | {SAID}",
    ],
)
def test_colours_and_prefixes(text: str) -> None:
    assert told(f"before\n{text}\nbehind") == [("no-implementation", 2, 1)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("width", [80, 100, 118, 121, 125, 130])
def test_lines_broken_by_a_terminal(end: str, width: int) -> None:
    lines = [SAID[start : start + width] for start in range(0, len(SAID), width)]
    ((name, line, count),) = told(end.join(["[I] before", *lines, "[I] behind"]))
    assert (name, line in (2, 3), count) == ("no-implementation", True, 1)


def test_lines_broken_between_words() -> None:
    text = "\n".join(textwrap.wrap(SAID.replace("/1/", " "), 72))
    ((name, line, count),) = told(f"[I] before\n{text}\n")
    assert (name, line in (2, 3), count) == ("no-implementation", True, 1)


def test_repeats_are_counted_where_they_differ_in_their_time_only() -> None:
    log = Log.of("".join(f"[11/22/2024-13:40:{n:02}] [W] the same\n" for n in range(50)) + "other\n")
    assert (log.text, log.numbers, log.counts, log.lines) == (
        "[11/22/2024-13:40:00] [W] the same\nother", (1, 51), (50, 1), 51,
    )  # fmt: skip


def test_a_long_log_takes_bounded_time_and_memory_and_its_end_is_read() -> None:
    lines = (
        f"[11/22/2024-13:40:47] [V] [TRT] /m.{n}/{'abcdefgh'[n % 8] * (n % 97)} -> (1, {n}) padding of some length\n"
        for n in range(200_000)
    )
    text = "".join(lines) + "[W] One or more weights outside the range of INT32 was clamped\n" * 3 + SAID
    size, before, start = len(text), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    log = Log.of(text)
    assert len(log.text) < 2 * DISTINCT + JOINED + LONGEST
    assert [advice.id for advice in advise(log)] == ["int64-clamped", "no-implementation"]
    assert time.process_time() - start < 30
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < 12 * size + (64 << 20)
    assert log.lines == 200_004


def test_beyond_the_budget_only_trouble_is_kept() -> None:
    letters = [f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(15_000)]
    log = Log.of("".join(f"{word * 50}\n" for word in letters) + SAID)
    assert log.dropped > 0 and log.text.endswith(SAID)
    assert sum(log.counts) + log.dropped == log.lines == 15_001


def test_a_line_without_an_end_is_cut_and_a_limit_is_kept() -> None:
    log = Log.read(io.StringIO("x" * (3 * LONGEST)), most=2 * LONGEST)
    assert (log.lines, log.more) == (2, True)
    assert Log.read(io.StringIO("a\nb\n"), most=100).more is False


def test_text_in_brackets_is_no_colour() -> None:
    assert Log.of("[Kernel] [8] [m] [0mm").text == "[Kernel] [8] [m] m"
