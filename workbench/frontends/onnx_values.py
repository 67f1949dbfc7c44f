"""Values in ONNX files: tensors as arrays, attributes as Python's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.base.dtypes import DTYPES, DType
from workbench.base.errors import SourceError
from workbench.ops.tensor import UnsupportedError

Values = np.ndarray[Any, Any]
_DTYPES = {
    "FLOAT": "f32", "FLOAT16": "f16", "DOUBLE": "f64", "INT8": "i8", "UINT8": "u8", "INT32": "i32",
    "UINT32": "u32", "INT64": "i64", "BOOL": "bool",
}  # fmt: skip
_TYPED = {"to", "dtype", "output_dtype"}
"""Attributes that name a dtype by its number."""


def dtype_named(onnx: Any, number: int) -> DType:
    """The dtype of a number of ONNX's. Raises `UnsupportedError` for one that is not there."""
    try:
        name = onnx.TensorProto.DataType.Name(number)
    except ValueError as error:
        raise UnsupportedError(f"no dtype has the number {number}") from error
    if name not in _DTYPES:
        raise UnsupportedError(f"values of {name.lower()} are not there yet")
    return DTYPES[_DTYPES[name]]


def values_of(onnx: Any, tensor: Any) -> Values:
    """The values of a tensor. Raises `SourceError`, `UnsupportedError`."""
    try:
        dtype = dtype_named(onnx, tensor.data_type)
    except UnsupportedError as error:
        words = f"the weight '{tensor.name}': {error.mistakes[0].message}"
        raise UnsupportedError(words) from error
    try:
        values: Values = np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, RuntimeError) as error:
        raise SourceError(f"the weight '{tensor.name}' cannot be read: {error}") from error
    return np.ascontiguousarray(values, dtype.numpy).reshape(values.shape)


def attributes_of(onnx: Any, node: Any) -> dict[str, Any]:
    """The attributes of a node."""
    return {a.name: value_of(onnx, a) for a in node.attribute}


def bound(node: Any, given: Mapping[str, Any]) -> Any:
    """A node of a definition, where `given` are the attributes that its own may refer to."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for a in node.attribute:
        if not a.ref_attr_name:
            copy.attribute.append(a)
        elif a.ref_attr_name in given:
            made = copy.attribute.add()
            made.CopyFrom(given[a.ref_attr_name])
            made.name = a.name
    return copy


def value_of(onnx: Any, a: Any) -> Any:
    """The value of an attribute. Raises `UnsupportedError` for kinds that nothing here has."""
    kinds = onnx.AttributeProto
    match a.type:
        case kinds.INT if a.name in _TYPED:
            return None if a.i == 0 else dtype_named(onnx, a.i)
        case kinds.INT:
            return int(a.i)
        case kinds.FLOAT:
            return float(np.float32(a.f))
        case kinds.STRING:
            return a.s.decode("utf-8", "replace")
        case kinds.INTS:
            return tuple(int(x) for x in a.ints)
        case kinds.FLOATS:
            return tuple(float(np.float32(x)) for x in a.floats)
        case kinds.STRINGS:
            return tuple(s.decode("utf-8", "replace") for s in a.strings)
        case kinds.TENSOR:
            return values_of(onnx, a.t)
        case kinds.GRAPH:
            return a.g
        case _:
            raise UnsupportedError(f"its attribute {a.name} of an unusual kind")
