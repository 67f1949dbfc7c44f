"""ONNX models: a file, bytes or a proto, read and checked, as a model graph.

What a node means is said in `ops/`; here stands how files say it. The differences between the
versions of operators are in `onnx_versions.py`, definitions of operators by others in
`onnx_functions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.base.errors import CallError, Mistake, SourceError
from workbench.base.source import Origin, Source, Span
from workbench.frontends.onnx_values import Values, attributes_of, bound, dtype_named, values_of
from workbench.frontends.onnx_versions import Told, upgraded
from workbench.ir.model import Extent, ModelGraph, ModelInput, Node
from workbench.ops import operators
from workbench.ops.tensor import UnsupportedError

OLDEST = 7
"""The first version of the operators that is read; older ones where they are the same."""
REMEDY = "pip install onnx"
STANDARD = ("", "ai.onnx")
"""The names of the domain of the operators."""


def read(model: Any) -> ModelGraph:
    """The model graph of a path, of bytes, or of a ModelProto.

    Raises `SourceError` for what is no valid model, `UnsupportedError` with every node that has
    no operator.
    """
    onnx = library()
    proto = _loaded(onnx, model)
    _checked(onnx, proto)
    versions = {o.domain: o.version for o in proto.opset_import}
    version = next((versions[d] for d in STANDARD if d in versions), 0)
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise SourceError(
            f"the model is of opset {version}, the newest of this onnx is {newest}",
            hint="pip install --upgrade onnx",
        )
    return _graph(onnx, proto, version)


def library() -> Any:
    """The library onnx. Raises `CallError` where it is missing."""
    try:
        import onnx  # noqa: PLC0415  (only who reads a model needs it)
    except ImportError as error:
        raise CallError(f"onnx, which reads models, is missing: {error}", hint=REMEDY) from error
    return onnx


def _loaded(onnx: Any, model: Any) -> Any:
    if isinstance(model, onnx.ModelProto):
        return _inside(onnx, model)
    if isinstance(model, bytes | bytearray):
        return _inside(onnx, _decoded(onnx, bytes(model), "these bytes"))
    if not isinstance(model, str | Path):
        raise CallError(
            f"{type(model).__name__} is no model", hint="a path, bytes or an onnx.ModelProto"
        )
    path = Path(model)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"'{path}' cannot be read: {error.strerror}") from error
    proto = _decoded(onnx, content, f"'{path}'")
    try:
        onnx.load_external_data_for_model(proto, str(path.parent))
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise SourceError(f"the external data of '{path}': {_first(error)}") from error
    return proto


def _decoded(onnx: Any, content: bytes, what: str) -> Any:
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own errors have no base of their own
        raise SourceError(f"{what} hold no ONNX model: {_first(error)}") from error


def _inside(onnx: Any, proto: Any) -> Any:
    """Refuse weights that lie in other files, where no folder is known."""
    for tensor in onnx.external_data_helper._get_all_tensors(proto):  # noqa: SLF001
        if onnx.external_data_helper.uses_external_data(tensor):
            raise SourceError(
                f"the weight '{tensor.name}' lies in a file of its own",
                hint='wb.from_onnx("model.onnx") with the path, beside which it lies',
            )
    return proto


def _first(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _checked(onnx: Any, proto: Any) -> None:
    """Raise `SourceError` with what the checker says."""
    try:
        onnx.checker.check_model(proto)
    except Exception as error:  # the checker's, and the C++ library's below it
        raise SourceError(f"not a valid ONNX model: {_first(error)}") from error


@dataclass(eq=False)
class Reader:
    """Makes nodes of the nodes of one graph: a model's, or a definition's."""

    onnx: Any
    functions: Mapping[tuple[str, str], Any]
    versions: Mapping[str, int]
    constants: dict[str, Values] = field(default_factory=dict[str, Values])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    lines: list[str] = field(default_factory=list[str])

    def version(self, domain: str) -> int:
        """The version of a domain's operators."""
        if domain in STANDARD:
            return next((self.versions[d] for d in STANDARD if d in self.versions), 1)
        return self.versions.get(domain, 1)

    def nodes(self, protos: Iterable[Any], given: Mapping[str, Any] | None = None) -> list[Node]:
        """The nodes; `given` are the attributes of what a definition defines, as protos."""
        return [n for p in protos for n in self._node(p, given)]

    def _node(self, proto: Any, given: Mapping[str, Any] | None) -> Iterator[Node]:
        from workbench.frontends.onnx_functions import body_of  # noqa: PLC0415  (they recurse)

        proto = bound(proto, given or {})
        domain = proto.domain
        version = self.version(domain)
        prefix = "" if domain in STANDARD else f"{domain}."
        kind = f"{prefix}{proto.op_type}-{version}"
        name = proto.name or (proto.output[0] if proto.output else "")
        self.lines.append(_line(proto))
        node = Node(
            proto.op_type if domain in STANDARD else f"{domain}.{proto.op_type}",
            tuple(proto.input), tuple(proto.output), {}, name, kind,
        )  # fmt: skip
        try:
            node = replace(node, attributes=attributes_of(self.onnx, proto))
            node = replace(node, body=body_of(self, proto))
            if domain in STANDARD:
                self._check_age(proto, version)
                yield from upgraded(node, Told(version, self.constants))
            else:
                yield node
        except UnsupportedError as error:
            self.mistakes += [Mistake(f"{node.words}: {m.message}") for m in error.mistakes]

    def _check_age(self, proto: Any, version: int) -> None:
        """Refuse an operator of before version 7 that is not the same since."""
        get = self.onnx.defs.get_schema
        if version >= OLDEST or not self.onnx.defs.has(proto.op_type, OLDEST):
            return
        old, new = get(proto.op_type, version), get(proto.op_type, OLDEST)
        if old.since_version != new.since_version:
            raise UnsupportedError(f"as it was before version {OLDEST}")


def _line(proto: Any) -> str:
    outputs = ", ".join(o or "_" for o in proto.output)
    inputs = ", ".join(i or "_" for i in proto.input)
    return f"{outputs} = {proto.op_type}({inputs})"


def _graph(onnx: Any, proto: Any, version: int) -> ModelGraph:
    graph = proto.graph
    functions = {(f.domain, f.name): f for f in proto.functions}
    versions = {o.domain: o.version for o in proto.opset_import} or {"": version}
    reader = Reader(onnx, functions, versions)
    if graph.sparse_initializer:
        raise UnsupportedError("sparse weights are not there yet")
    reader.constants |= {t.name: values_of(onnx, t) for t in graph.initializer}
    fixed = set(reader.constants)
    inputs = tuple(_input(onnx, i) for i in graph.input if i.name not in fixed)
    nodes = reader.nodes(graph.node)
    reader.mistakes += unknown(nodes)
    if reader.mistakes:
        raise UnsupportedError(*dict.fromkeys(reader.mistakes))
    source = Source("\n".join(reader.lines) + "\n", graph.name or "model")
    return ModelGraph(
        _identifier(graph.name), inputs, tuple(o.name for o in graph.output),
        tuple(_placed(nodes, source)), reader.constants, source,
    )  # fmt: skip


def _placed(nodes: Sequence[Node], source: Source) -> Iterator[Node]:
    """The nodes with their lines of the listing as origins."""
    lines: dict[str, Span] = {}
    start = 0
    for line in source.text.splitlines():
        outputs = line.partition(" = ")[0]
        lines.setdefault(outputs.split(", ")[0], Span(source, start, start + len(line)))
        start += len(line) + 1
    for node in nodes:
        span = lines.get(node.outputs[0] if node.outputs else "")
        yield node if span is None else replace(node, origin=Origin(span))


def unknown(nodes: Iterable[Node]) -> Iterator[Mistake]:
    """A mistake for each node with no operator and no definition."""
    for node in nodes:
        if node.operator not in operators() and node.body is None:
            yield Mistake(f"{node.words}: no such operator yet")


def _input(onnx: Any, proto: Any) -> ModelInput:
    kind = proto.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnsupportedError(f"the input '{proto.name}' is no tensor but a {kind}")
    tensor = proto.type.tensor_type
    try:
        dtype = dtype_named(onnx, tensor.elem_type)
    except UnsupportedError as error:
        raise UnsupportedError(f"the input '{proto.name}': {error.mistakes[0].message}") from error
    if not tensor.HasField("shape"):
        return ModelInput(proto.name, dtype, None)
    return ModelInput(proto.name, dtype, tuple(map(_extent, tensor.shape.dim)))


def _extent(dim: Any) -> Extent:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) if dim.dim_param else None


def _identifier(name: str) -> str:
    word = "".join(c if c.isalnum() and c.isascii() else "_" for c in name).strip("_")
    return word if word and not word[0].isdigit() else f"model_{word}".rstrip("_")
