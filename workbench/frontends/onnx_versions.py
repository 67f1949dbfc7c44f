"""What older versions of ONNX's operators say otherwise, as what the newest ones say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.ir.model import Node
from workbench.ops.tensor import UnsupportedError, Values


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """The version of the operators, and the constants, to which an attribute may be added."""

    version: int
    constants: dict[str, Values]


Upgrade = Callable[[Node, Told], Node]


def upgraded(node: Node, told: Told) -> Iterator[Node]:
    """The node as the newest version has it."""
    upgrade = _UPGRADES.get(node.operator)
    yield node if upgrade is None else upgrade(node, told)


def _moved(node: Node, told: Told, name: str, place: int, kind: Any = np.int64) -> Node:
    """An attribute as an operand; nothing where the node does not have it."""
    if name not in node.attributes:
        return node
    values = np.asarray(node.attributes[name], kind)
    constant = f"{node.outputs[0]}/{name}"
    while constant in told.constants:
        constant += "_"
    told.constants[constant] = values
    inputs = (*node.inputs, *[""] * (place - len(node.inputs)), constant)
    rest = {n: v for n, v in node.attributes.items() if n != name}
    return replace(node, inputs=inputs, attributes=rest)


def _without(node: Node, *names: str) -> Node:
    return replace(node, attributes={n: v for n, v in node.attributes.items() if n not in names})


def _with(node: Node, **attributes: Any) -> Node:
    return replace(node, attributes={**node.attributes, **attributes})


def _axes(node: Node, told: Told) -> Node:
    return _moved(node, told, "axes", 1)


def _slice(node: Node, told: Told) -> Node:
    for place, name in enumerate(("starts", "ends", "axes"), 1):
        node = _moved(node, told, name, place)
    return node


def _split(node: Node, told: Told) -> Node:
    node = _moved(node, told, "split", 1)
    if len(node.inputs) < 2 or not node.inputs[1]:
        return _with(node, num_outputs=len(node.outputs))
    return _without(node, "num_outputs")


def _pad(node: Node, told: Told) -> Node:
    if told.version < 11:
        node = _moved(node, told, "pads", 1)
        node = _moved(node, told, "value", 2, np.float32)
    return node


def _clip(node: Node, told: Told) -> Node:
    if told.version < 11:
        node = _moved(node, told, "min", 1, np.float32)
        node = _moved(node, told, "max", 2, np.float32)
    return node


def _dropout(node: Node, told: Told) -> Node:
    return _moved(node, told, "ratio", 1, np.float32)


def _top_k(node: Node, told: Told) -> Node:
    if told.version >= 10:
        return node
    node = _moved(node, told, "k", 1)
    told.constants[node.inputs[1]] = told.constants[node.inputs[1]].reshape(1)
    return node


def _softmax(node: Node, told: Told) -> Node:
    if told.version >= 13:
        return node
    return _with(node, axis=node.attributes.get("axis", 1), flat=True)


def _resize(node: Node, told: Told) -> Node:
    if told.version >= 11:
        return node
    inputs = (node.inputs[0], "", node.inputs[1])
    return _with(
        replace(node, inputs=inputs),
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _upsample(node: Node, told: Told) -> Node:
    if told.version < 9:
        node = _moved(node, told, "scales", 1, np.float32)
    node = replace(node, operator="Resize", inputs=(node.inputs[0], "", node.inputs[1]))
    return _with(node, coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def _scatter(node: Node, told: Told) -> Node:
    del told
    return replace(node, operator="ScatterElements")


def _constant(node: Node, told: Told) -> Node:
    del told
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64,
             "value_ints": np.int64}  # fmt: skip
    for name, kind in kinds.items():
        if name in node.attributes:
            return replace(node, attributes={"value": np.asarray(node.attributes[name], kind)})
    if "value" not in node.attributes:
        raise UnsupportedError(f"its attribute {', '.join(node.attributes)}")
    return node


def _batch_normalization(node: Node, told: Told) -> Node:
    del told
    if node.attributes.get("spatial", 1) != 1:
        raise UnsupportedError("its attribute spatial")
    return _without(node, "spatial", "is_test")


def _group_normalization(node: Node, told: Told) -> Node:
    return _with(node, per_group=True) if told.version < 21 else node


_REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip

_UPGRADES: dict[str, Upgrade] = {
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Constant": _constant,
    "Dropout": _dropout,
    "GroupNormalization": _group_normalization,
    "Hardmax": _softmax,
    "LogSoftmax": _softmax,
    "Pad": _pad,
    "Resize": _resize,
    "Scatter": _scatter,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _axes,
    "TopK": _top_k,
    "Unsqueeze": _axes,
    "Upsample": _upsample,
    **dict.fromkeys(_REDUCTIONS, _axes),
}
