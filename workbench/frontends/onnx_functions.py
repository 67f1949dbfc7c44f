"""Operators that ONNX, or the model itself, defines by others: their nodes, when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.ir.model import ModelGraph, ModelInput, Operand
from workbench.ops.tensor import UnsupportedError

if TYPE_CHECKING:
    from workbench.frontends.onnx import Reader

Body = Callable[[Sequence[Operand]], ModelGraph]


def body_of(reader: Reader, proto: Any) -> Body | None:
    """What gives the nodes that define a node, for the types of its operands; None for none."""
    onnx = reader.onnx
    given = {a.name: a for a in proto.attribute}
    local = reader.functions.get((proto.domain, proto.op_type))
    if local is not None:
        return lambda _: _expanded(reader, local, given)
    version = reader.version(proto.domain)
    try:
        schema = onnx.defs.get_schema(proto.op_type, version, proto.domain)
    except onnx.defs.SchemaError:
        return None
    whole = _defaults(schema) | given
    plain = _newest(schema.function_opset_versions, version) if schema.has_function else None
    if plain is not None:
        content = schema.get_function_with_opset_version(plain)
        return lambda _: _expanded(reader, _function(onnx, content), whole)
    if not schema.has_context_dependent_function:
        return None
    found = _newest(schema.context_dependent_function_opset_versions, version)
    if found is None:
        return None
    return lambda types: _expanded(reader, _dependent(onnx, schema, found, proto, types), whole)


def _newest(versions: Sequence[int], most: int) -> int | None:
    return max((v for v in versions if v <= most), default=None)


def _defaults(schema: Any) -> dict[str, Any]:
    """The attributes that have a value where a node does not give one, as protos."""
    return {name: a.default_value for name, a in schema.attributes.items() if a.default_value.type}


def _function(onnx: Any, content: bytes) -> Any:
    function = onnx.FunctionProto()
    function.ParseFromString(content)
    return function


def _dependent(onnx: Any, schema: Any, version: int, proto: Any, types: Sequence[Operand]) -> Any:
    """The definition for operands of these types."""
    said: list[bytes] = []
    for operand in types:
        kind = onnx.TypeProto()
        if operand is not None:
            dtype, shape = operand
            number = onnx.helper.np_dtype_to_tensor_dtype(dtype.numpy)
            kind = onnx.helper.make_tensor_type_proto(number, list(shape))
        said.append(kind.SerializeToString())
    content = schema.get_context_dependent_function_with_opset_version(
        version, proto.SerializeToString(), said
    )
    if not content:
        raise UnsupportedError("no definition for these operands")
    return _function(onnx, content)


def _expanded(reader: Reader, function: Any, given: Mapping[str, Any]) -> ModelGraph:
    """The nodes of a definition, for the attributes of the node that it stands for."""
    whole = {a.name: a for a in function.attribute_proto} | dict(given)
    versions = {**reader.versions, **{o.domain: o.version for o in function.opset_import}}
    inner = type(reader)(reader.onnx, reader.functions, versions)
    nodes = inner.nodes(function.node, whole)
    if inner.mistakes:
        raise UnsupportedError(*inner.mistakes)
    return ModelGraph(
        function.name,
        tuple(ModelInput(name) for name in function.input),
        tuple(function.output),
        tuple(nodes),
        inner.constants,
    )
