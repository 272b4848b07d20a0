"""Files and models: load, save, and the indexed view of a graph that rules work on."""

from onnxfix.model.file import external_tensors, load, weight_files
from onnxfix.model.light import light_proto
from onnxfix.model.model import Array, Model, place_of
from onnxfix.model.save import Draft, draft, save
from onnxfix.model.weights import ExternalData, Weights
from onnxfix.model.wire import SELF

__all__ = [
    "Array",
    "Draft",
    "ExternalData",
    "Model",
    "SELF",
    "Weights",
    "draft",
    "external_tensors",
    "light_proto",
    "load",
    "place_of",
    "save",
    "weight_files",
]
