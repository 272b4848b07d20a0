"""Damaged models: bytes flipped, cut or doubled, and fields of the message set to what nobody expects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from fixtures import darknet, small

INTEGERS = (0, 1, -1, 2, 3, 7, 13, 20, 21, 99, 999, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
FLOATS = (0.0, -1.0, 1e-45, 3.4e38, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    "x",
    "y",
    "Upsample",
    "If",
    "Loop",
    "Constant",
    "Reshape",
    "Resize",
    "value",
    "scales",
    "ai.onnx",
    "\n",
    "é" * 50,
)
SEED_MODELS = ("bvlc_alexnet", "squeezenet", "shufflenet")


def seeds() -> list[bytes]:
    """Serialized models to start from: the small broken ones, a thin YOLO, and some of ONNX's own."""
    models = [small.build(name) for name in small.TEXTS]
    models.append(darknet.build("yolov3-tiny", size=32, width=0.05, classes=1, dynamic_batch=True))
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    paths = [
        *sorted((data / "simple").glob("*/model.onnx"))[::2],
        *(data / "light" / f"light_{n}.onnx" for n in SEED_MODELS),
    ]
    return [*(model.SerializeToString() for model in models), *(path.read_bytes() for path in paths)]


def mutated(data: bytes, random: Random) -> bytes:
    """One to three changes of a serialized model: of its bytes in one case of four, else of its fields."""
    if random.random() < 0.25:
        return _broken_bytes(data, random)
    model = onnx.ModelProto.FromString(data)
    for _ in range(random.randint(1, 3)):
        _change(random.choice(_weighed(model, random)), model, random)
    return model.SerializeToString()


def _broken_bytes(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    kind = random.randrange(4)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(changed))
        if kind == 0:
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[at] = random.randrange(256)
        elif kind == 2:
            changed[at:at] = changed[at : at + random.randint(1, 40)]
        else:
            return bytes(changed[:at])
    return bytes(changed)


def _weighed(model: onnx.ModelProto, random: Random) -> list[Message]:
    """The messages of a kind chosen first, so that few graphs are hit as often as many nodes."""
    kinds: dict[str, list[Message]] = {}
    for message in _messages(model):
        kinds.setdefault(message.DESCRIPTOR.name, []).append(message)
    return kinds[random.choice(sorted(kinds))]


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if _many(field) else [value]:
                yield from _messages(inner)


def _many(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def _change(message: Message, model: onnx.ModelProto, random: Random) -> None:
    present = [field for field, _ in message.ListFields()]
    fields = present if present and random.random() < 0.8 else list(message.DESCRIPTOR.fields)
    field = random.choice(fields)
    if random.random() < 0.15:
        message.ClearField(field.name)
    elif _many(field):
        _change_list(getattr(message, field.name), field, model, random)
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _scalar(field, model, random))


def _change_list(items: Any, field: FieldDescriptor, model: onnx.ModelProto, random: Random) -> None:
    kind = random.randrange(4)
    if not items or kind == 0:
        _append(items, field, model, random)
    elif kind == 1:
        del items[random.randrange(len(items))]
    elif field.message_type is None:
        items[random.randrange(len(items))] = _scalar(field, model, random)
    elif kind == 2:
        items.append(random.choice(items))
    else:
        one, other = random.choice(items), random.choice(items)
        copy = type(one)()
        copy.CopyFrom(other)
        other.CopyFrom(one)
        one.CopyFrom(copy)


def _append(items: Any, field: FieldDescriptor, model: onnx.ModelProto, random: Random) -> None:
    if field.message_type is None:
        items.append(_scalar(field, model, random))
        return
    alike = [message for message in _messages(model) if message.DESCRIPTOR is field.message_type]
    item = type(random.choice(alike))() if alike else items.add()
    if alike:
        item.CopyFrom(random.choice(alike))
        items.append(item)


def _scalar(field: FieldDescriptor, model: onnx.ModelProto, random: Random) -> Any:
    if field.enum_type is not None:
        return random.choice([value.number for value in field.enum_type.values])
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return random.choice(FLOATS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = random.choice((*TEXTS, *_names(model)))
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    return _integer(field, random)


def _integer(field: FieldDescriptor, random: Random) -> int:
    low, high = {
        FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
        FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    }.get(field.cpp_type, (0, 1))
    return random.choice([number for number in INTEGERS if low <= number <= high])


def _names(model: onnx.ModelProto) -> list[str]:
    return [name for node in model.graph.node for name in (*node.input, *node.output, node.op_type)][:60]
