"""Sizes for dynamic inputs: optimization profiles, made from what was asked for, recorded inputs and defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from onnxfix.engine.options import Shapes, Triple
from onnxfix.engine.records import InputRange
from onnxfix.errors import OnnxfixError

Range = tuple[int, int, int]
Sizes = Mapping[str, Range]
Sample = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Recorded inputs by name: (shape, values); the values matter only where the network reads a shape out of them."""

Profile = tuple[InputRange, ...]
Naming = Callable[[Any, int], str]
"""The name that the model gives to an axis of an input, "" for none."""

BATCH: Range = (1, 1, 4)
# Axes 2 and later of inputs with four axes or more are taken for an image, every other one for a sequence.
IMAGE: Range = (64, 256, 512)
SEQUENCE: Range = (1, 64, 256)
SHAPE_VALUE: Range = (1, 4, 16)
# Tried in turn when the builder refuses the ranges above: some graphs work at one size only, or at few.
# 1024 is for sound, of which a window alone may have 400 samples.
FALLBACKS: tuple[Range, ...] = ((224, 224, 224), (1024, 1024, 1024), (64, 64, 64), (8, 8, 8), (1, 1, 1))


def candidates(inputs: Sequence[Any], named: Naming, sizes: Sizes, sample: Sample) -> Iterator[Profile]:
    """The profiles to try, best first; a single empty one when no input needs a profile.

    `sizes` gives (min, opt, max) by dimension name ("N"), by input and axis ("x[2]") or, for a shape input, by
    its name. Dimensions of one name get one size. With a `sample` its own shapes and values come first.
    """
    seen = set()
    if all(tensor.name in sample for tensor in inputs):
        recorded = tuple(_recorded(inputs, sample))
        seen.add(recorded)
        yield recorded
    for fallback in (None, *FALLBACKS):
        profile = tuple(_ranges(inputs, named, sizes, fallback))
        if profile not in seen:
            seen.add(profile)
            yield profile


def given(inputs: Sequence[Any], named: Naming, shapes: Shapes) -> Iterator[Profile]:
    """One profile for each time that an input is given; an input given once is the same in all of them.

    An input that is not given gets the sizes of the named dimensions it shares with one that is, else the defaults.
    Raises OnnxfixError when a shape does not fit its input, or two inputs contradict each other in a dimension.
    """
    asked: dict[str, list[Triple]] = {}
    for name, triple in shapes:
        asked.setdefault(name, []).append(triple)
    known = {tensor.name: tensor for tensor in inputs}
    for name in asked:
        if name not in known:
            raise _refused(name, "there is no such input", f"the inputs are {', '.join(known) or 'none'}")
    count = max(map(len, asked.values()))
    for name, triples in asked.items():
        if len(triples) not in (1, count):
            raise _refused(name, f"given {len(triples)} times, another input {count} times", "give it once or as often")
    for number in range(count):
        chosen = {name: triples[min(number, len(triples) - 1)] for name, triples in asked.items()}
        yield _given(inputs, named, chosen)


def _given(inputs: Sequence[Any], named: Naming, chosen: Mapping[str, Triple]) -> Profile:
    sizes: dict[str, Range] = {}
    owners: dict[str, str] = {}
    exact: dict[str, InputRange] = {}
    for tensor in inputs:
        if tensor.name not in chosen:
            continue
        low, best, high = chosen[tensor.name]
        _check_order(tensor, low, best, high)
        if tensor.is_shape_tensor:
            exact[tensor.name] = InputRange(tensor.name, low, best, high, values=True)
            continue
        for axis, triple in enumerate(zip(low, best, high, strict=True)):
            label = _label(tensor, axis, named)
            if sizes.setdefault(label, triple) != triple:
                raise _contradiction(label, owners[label], sizes[label], tensor.name, triple)
            owners.setdefault(label, tensor.name)
    generated = _ranges(inputs, named, sizes, None)
    return tuple(exact.get(item.name, item) for item in generated)


def _check_order(tensor: Any, low: tuple[int, ...], best: tuple[int, ...], high: tuple[int, ...]) -> None:
    """The three have the length of the input's shape, its fixed sizes, and do not fall."""
    shape = tuple(tensor.shape)
    for word, other in (("best", best), ("largest", high)):
        if len(other) != len(low):
            raise _refused(tensor.name, f"the {word} has {len(other)} numbers and the smallest {len(low)}", "as many")
    if tensor.is_shape_tensor:
        rank = shape[0] if shape else 1
        if rank >= 0 and len(low) != rank:
            raise _refused(tensor.name, f"{len(low)} values, but the input holds {rank}", "they are a shape")
    elif len(low) != len(shape):
        raise _refused(tensor.name, f"{len(low)} axes, but the input has {len(shape)}", _declared(shape))
    for axis, (a, b, c) in enumerate(zip(low, best, high, strict=True)):
        if not a <= b <= c:
            raise _refused(tensor.name, f"{a}:{b}:{c} at axis {axis} is not smallest:best:largest", "sort them")
        if not tensor.is_shape_tensor and shape[axis] >= 0 and (a, c) != (shape[axis], shape[axis]):
            raise _refused(tensor.name, f"axis {axis} is always {shape[axis]} in the model", _declared(shape))


def _contradiction(label: str, first: str, one: Range, second: str, other: Range) -> OnnxfixError:
    spans = [":".join(map(str, triple)) for triple in (one, other)]
    what = f"dimension {label} is {spans[0]} in {first!r} and {spans[1]} in {second!r}"
    return OnnxfixError(what, where="--shapes", hint="a dimension of one name has one size")


def _refused(name: str, what: str, hint: str) -> OnnxfixError:
    return OnnxfixError(what, where=f"--shapes {name}", hint=hint)


def _declared(shape: tuple[int, ...]) -> str:
    return f"its shape is {'x'.join('?' if size < 0 else str(size) for size in shape) or 'that of a scalar'}"


def _recorded(inputs: Sequence[Any], sample: Sample) -> Iterator[InputRange]:
    """One size for each input that needs a range: the recorded one."""
    for tensor in inputs:
        shape, values = sample[tensor.name]
        if tensor.is_shape_tensor:
            yield InputRange(tensor.name, values, values, values, values=True)
        elif -1 in tuple(tensor.shape):
            yield InputRange(tensor.name, shape, shape, shape)


def _ranges(inputs: Sequence[Any], named: Naming, sizes: Sizes, fallback: Range | None) -> Iterator[InputRange]:
    known = dict(sizes)
    for tensor in inputs:
        shape = tuple(tensor.shape)
        if tensor.is_shape_tensor:
            chosen = known.get(tensor.name, fallback or SHAPE_VALUE)
            count = shape[0] if shape else 1
            smallest, best, largest = ((size,) * count for size in chosen)
            yield InputRange(tensor.name, smallest, best, largest, values=True)
        elif -1 in shape:
            columns = [_axis(tensor, axis, named, known, fallback) for axis in range(len(shape))]
            smallest, best, largest = (tuple(triple[point] for triple in columns) for point in range(3))
            yield InputRange(tensor.name, smallest, best, largest)


def _axis(tensor: Any, axis: int, named: Naming, known: dict[str, Range], fallback: Range | None) -> Range:
    size = tensor.shape[axis]
    if size >= 0:
        return (size, size, size)
    inner = IMAGE if axis >= 2 and len(tensor.shape) >= 4 else SEQUENCE
    default = BATCH if axis == 0 else fallback or inner
    return known.setdefault(_label(tensor, axis, named), known.get(f"{tensor.name}[{axis}]", default))


def _label(tensor: Any, axis: int, named: Naming) -> str:
    """The name of a dimension: the model's, or input and axis."""
    return named(tensor, axis) or f"{tensor.name}[{axis}]"
