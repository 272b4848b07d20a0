"""The closed set of whole-graph transforms that a rule file may name.

An action looks at a Context and yields Proposals; it never changes anything.  A rule file is data: it can name one
of these and give it parameters, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from onnxfix.actions.carry_types import carry_types
from onnxfix.actions.context import Context
from onnxfix.actions.convert_opset import convert_opset
from onnxfix.actions.cut import cut
from onnxfix.actions.declare_lengths import declare_lengths
from onnxfix.actions.decompose import decompose
from onnxfix.actions.expand_functions import expand_functions
from onnxfix.actions.fix_shapes import fix_shapes
from onnxfix.actions.fold_constants import fold_constants
from onnxfix.actions.fold_reshape import fold_reshape
from onnxfix.actions.foreign_operators import explain_foreign, foreign_namesakes
from onnxfix.actions.free_batch import free_batch
from onnxfix.actions.freeze_inputs import freeze_inputs, freeze_parameters
from onnxfix.actions.function_names import unique_function_names
from onnxfix.actions.harmonise_types import harmonise_types
from onnxfix.actions.inline_functions import inline_functions
from onnxfix.actions.mark_outputs import mark_outputs
from onnxfix.actions.narrow_floats import narrow_floats
from onnxfix.actions.narrow_integers import narrow_integers
from onnxfix.actions.node_names import unique_node_names
from onnxfix.actions.own_outputs import own_outputs
from onnxfix.actions.parameters import parameters_of
from onnxfix.actions.prune import close_initializers, prune_initializers, prune_inputs, prune_nodes
from onnxfix.actions.report_facts import report_half_overflow, report_ignored, report_precisions, report_unknown
from onnxfix.actions.report_refused import report_refused, report_refused_model
from onnxfix.actions.retype_interface import retype_interface
from onnxfix.actions.separate_dimensions import separate_dimensions
from onnxfix.actions.shorten_names import shorten_names
from onnxfix.actions.sort_nodes import find_cycles, sort_nodes
from onnxfix.actions.store_constants import store_constants
from onnxfix.actions.strip_outputs import strip_outputs
from onnxfix.actions.tensor_interface import tensor_interface
from onnxfix.actions.type_outputs import type_outputs
from onnxfix.actions.unblock_layout import unblock_layout
from onnxfix.actions.unique_tensors import unique_tensors
from onnxfix.actions.unique_values import unique_values
from onnxfix.actions.unmade import find_unmade_inputs, find_unmade_outputs
from onnxfix.actions.widen_integers import widen_integers
from onnxfix.model.edit import Proposal
from onnxfix.rewrite.rule import Parameter

Action = Callable[..., Iterable[Proposal]]

ACTIONS: Mapping[str, Action] = {
    "carry_types": carry_types,
    "close_initializers": close_initializers,
    "convert_opset": convert_opset,
    "cut": cut,
    "declare_lengths": declare_lengths,
    "decompose": decompose,
    "explain_foreign": explain_foreign,
    "expand_functions": expand_functions,
    "find_cycles": find_cycles,
    "find_unmade_inputs": find_unmade_inputs,
    "find_unmade_outputs": find_unmade_outputs,
    "fix_shapes": fix_shapes,
    "fold_constants": fold_constants,
    "fold_reshape": fold_reshape,
    "free_batch": free_batch,
    "freeze_inputs": freeze_inputs,
    "freeze_parameters": freeze_parameters,
    "foreign_namesakes": foreign_namesakes,
    "harmonise_types": harmonise_types,
    "inline_functions": inline_functions,
    "mark_outputs": mark_outputs,
    "narrow_floats": narrow_floats,
    "narrow_integers": narrow_integers,
    "own_outputs": own_outputs,
    "prune_initializers": prune_initializers,
    "prune_inputs": prune_inputs,
    "prune_nodes": prune_nodes,
    "report_half_overflow": report_half_overflow,
    "report_precisions": report_precisions,
    "report_unknown": report_unknown,
    "report_ignored": report_ignored,
    "report_refused": report_refused,
    "report_refused_model": report_refused_model,
    "retype_interface": retype_interface,
    "separate_dimensions": separate_dimensions,
    "shorten_names": shorten_names,
    "sort_nodes": sort_nodes,
    "store_constants": store_constants,
    "strip_outputs": strip_outputs,
    "tensor_interface": tensor_interface,
    "type_outputs": type_outputs,
    "unblock_layout": unblock_layout,
    "unique_function_names": unique_function_names,
    "unique_node_names": unique_node_names,
    "unique_tensors": unique_tensors,
    "unique_values": unique_values,
    "widen_integers": widen_integers,
}

ASKED = frozenset({"cut", "fix_shapes", "free_batch", "freeze_inputs"})
"""Actions that do what the user asks for by name, before any repair."""

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {name: parameters_of(action) for name, action in ACTIONS.items()}

__all__ = ["ACTIONS", "ASKED", "Action", "Context", "PARAMETERS"]
