"""
Model descriptions, searched for what is more than a description.

Keras builds a model by the names in its description: of classes, functions and modules.
Some of them run code that the file brings, or call what they name.  Keras 3 has a safe
mode, Keras 2 has none that holds for HDF5; so the search comes first for both.
"""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from adapters.tensorflow.files.functions import (
    only_computes,
    operation_only_computes,
)
from domain.errors import ModelInvalid

_DEPTH = 200
"""Models within models are deep, but not that deep."""

_KERAS = re.compile(
    r"(tf_)?keras(\.src)?(\.(activations|constraints|dtype_policies|engine|initializers"
    r"|layers|losses|metrics|mixed_precision|models|ops|optimizers|quantizers|random"
    r"|regularizers)(\.\w+)*)?"
)
"""Modules whose classes a description may name; Keras's tools are not among them."""

_CODE = {"Lambda", "__lambda__"}
_FOREIGN = {
    "ClassMethod",
    "DenseFeatures",
    "FlaxLayer",
    "InstanceMethod",
    "JaxLayer",
    "SequenceFeatures",
    "TFSMLayer",
    "TorchModuleWrapper",
    "__typespec__",
}
"""Classes that call what their configuration names, or load other files."""

_PROPERTIES = {"dtype", "flat_values", "row_splits", "shape", "values"}


def parsed(text: str | bytes, name: str) -> Any:
    """
    Return what is written in *text*, the JSON called *name*.

    Raises:
        ModelInvalid: It is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelInvalid(f"the model's {name} is not JSON: {error}") from error


def refuse_code(*configurations: object) -> None:
    """
    Refuse descriptions that would make Keras run code, or read other files.

    Raises:
        ModelInvalid: There is such a thing; the message names its layer.
    """
    objects = list(_objects(list(configurations), 0))
    names = {name for config in objects if isinstance(name := config.get("name"), str)}
    for config in objects:
        for layer in _found(config, names):
            raise ModelInvalid(
                f"the model holds Python code, which is not run: {layer}"
            )


def _objects(config: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield every object in *config*, the outer ones first."""
    if depth > _DEPTH:
        raise ModelInvalid("the model's description is too deep")
    if isinstance(config, dict):
        yield config
        for value in config.values():
            yield from _objects(value, depth + 1)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _objects(value, depth + 1)


def _found(config: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """Yield what in *config* itself is more than a description."""
    kind = config.get("class_name")
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    name = inner.get("name", config.get("name"))
    if kind is not None:
        kinds = {_bare(kind), _bare(config.get("registered_name"))}
        if kinds & _CODE:
            yield f"the Lambda layer {name!r}" if name else "a lambda"
        if kinds & _FOREIGN:
            yield f"the {kind} {name!r}, which runs what it names"
        yield from _foreign_module(kind, config)
        yield from _tensorflow(_bare(kind), name, inner)
        if not _on_tensors(config.get("inbound_nodes"), names):
            yield f"the layer {name!r} computes while the model is loaded"
    if isinstance(config.get("vocabulary"), str):
        yield f"{config.get('name')!r} reads the file {config['vocabulary']!r}"


def _bare(kind: object) -> str:
    """Return a class's name without its package: ``Lambda`` of ``keras>Lambda``."""
    return re.split(r"[>.]", str(kind))[-1]


def _foreign_module(kind: object, config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a class or function that is none of Keras's."""
    module = config.get("module")
    if module is None:
        return
    name = config.get("config") if kind == "function" else kind
    # So Keras marks functions of its own, and looks for others among Python's.
    own = kind == "function" and not hasattr(builtins, str(name))
    if "." in str(name) or not (
        _KERAS.fullmatch(str(module)) or (module == "builtins" and own)
    ):
        yield f"{kind!r} from the module {module!r}"


def _tensorflow(kind: str, name: object, inner: Mapping[str, Any]) -> Iterator[str]:
    """Yield what calls TensorFlow for more than a computation."""
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        function = inner.get("function")
        if not only_computes(str(function)):
            yield f"the layer {name!r} calls {function!r} of TensorFlow"
    elif kind == "TensorFlowOpLayer":
        operation = _operation(inner.get("node_def"))
        if not operation_only_computes(operation):
            yield f"the layer {name!r} runs {operation!r} of TensorFlow"
    elif kind == "InstanceProperty" and inner.get("attr_name") not in _PROPERTIES:
        yield f"the layer {name!r} takes {inner.get('attr_name')!r} of a tensor"


def _operation(node: object) -> str:
    """Return the operation of a node of a graph, which is JSON, perhaps as text."""
    if isinstance(node, str):
        node = parsed(node, "node_def")
    return str(node.get("op")) if isinstance(node, dict) else str(node)


def _on_tensors(calls: object, names: Collection[str]) -> bool:
    """
    Tell whether each of a layer's calls takes the output of a layer in *names*.

    Else Keras would compute it at once, however much memory that takes.
    """
    if not isinstance(calls, list | tuple):
        return calls is None
    return all(
        _refers_3(call, names) if isinstance(call, dict) else _refers_2(call, names)
        for call in calls
    )


def _refers_2(value: object, names: Collection[str]) -> bool:
    """Find a reference of Keras 2: a layer's name and two numbers."""
    if isinstance(value, dict):
        return any(_refers_2(item, names) for item in value.values())
    match value:
        case [str(name), int(), int(), *_] if name in names:
            return True
        case [*items]:
            return any(_refers_2(item, names) for item in items)
    return False


def _refers_3(value: object, names: Collection[str]) -> bool:
    """Find a reference of Keras 3: the same, marked as such."""
    match value:
        case {"class_name": "__keras_tensor__", "config": {"keras_history": history}}:
            return _refers_2(history, names)
        case dict():
            return any(_refers_3(item, names) for item in value.values())
        case [*items]:
            return any(_refers_3(item, names) for item in items)
    return False
