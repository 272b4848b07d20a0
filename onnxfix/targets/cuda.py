"""The errors of CUDA by number, name and text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from onnxfix.targets.tables import table


@dataclass(frozen=True, slots=True)
class CudaError:
    """One error: its number, the names of the runtime and the driver ("" for none), its text, kind and meaning."""

    code: int
    runtime: str
    driver: str
    text: str
    kind: str
    means: str = ""

    @property
    def sentence(self) -> str:
        """`CUDA error 35, cudaErrorInsufficientDriver: the driver is older than the CUDA of the program`."""
        return f"CUDA error {self.code}, {self.runtime or self.driver}: {self.means or self.text}"


@cache
def cuda_errors() -> tuple[CudaError, ...]:
    """All that are known, by number."""
    return tuple(CudaError(**row) for row in table("cuda_errors")["errors"])


def cuda_pattern(kind: str) -> str:
    """An expression with the group `cuda` for what programs write of the errors of a kind ("any": of all).

    A name tells by itself; numbers and texts are also used elsewhere and count only behind a word about CUDA.
    """
    chosen = [error for error in cuda_errors() if kind in (error.kind, "any")]
    names = _either(name for error in chosen for name in (error.runtime, error.driver))
    texts = _either(error.text.rstrip(".") for error in chosen)
    codes = _either(str(error.code) for error in chosen)
    return (
        rf"(?P<cuda>\b(?:{names})\b"
        rf"|(?:cuda|\bcu(?:mem|ctx|init|module|launch|stream|event|device|graph)\w* failed)"
        rf"[^\n]{{0,160}}?[ :('\"](?:{texts})(?![\w-])"
        rf"|\bcuda(?:rt)?[ _]?(?:runtime|driver|initialization|api)? ?(?:error|failure|err)"
        rf"(?: in \w+)?(?: code)?(?: with error)? ?[:=(]? ?(?:{codes})\b"
        rf"|\bcuda(?:error)?_t[ .:(=]+(?:{codes})\b|\[cuda\][^\n]{{0,200}}\(error (?:{codes})\))"
    )


def cuda_error(said: str) -> CudaError | None:
    """The error that a text of `cuda_pattern` is about."""
    lower = said.lower()
    known = cuda_errors()
    for error in known:
        if lower in (error.runtime.lower(), error.driver.lower()):
            return error
    longest = max(
        (error for error in known if error.text and error.text.rstrip(".").lower() in lower), key=_size, default=None
    )
    if longest:
        return longest
    number = re.search(r"(\d+)\)?$", said)
    return next((error for error in known if number and error.code == int(number[1])), None)


def _size(error: CudaError) -> int:
    return len(error.text)


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted({re.escape(word) for word in words if word}, key=lambda word: (-len(word), word)))
