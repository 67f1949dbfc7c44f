"""How graphs, loops and device kernels are written for a person: like Python, every node marked.

Loops are marked at their header only, so that no mark covers a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from workbench.base.text import Text, Writer
from workbench.ir.expr import Apply, Cast, Const, Expr, Iterated, Load, Range, Reduce, Select, Var
from workbench.ir.extents import Extent, expression
from workbench.ir.graph import Array, Block, Definition, Equation, Graph, Repeat, Scalar
from workbench.ir.ops import ATOM, OPS, REDUCTIONS
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Outside,
    Stmt,
    Store,
    While,
    adds_in_any_order,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.ir.loops import Buffer, Loops

_SELECT = 1
_WORDS = {fold: word for word, fold in REDUCTIONS.items()}


def write_expr(w: Writer, e: Expr, outer: int = 0) -> None:
    """Write an expression; parentheses where it binds weaker than `outer`."""
    with w.mark(e.origin):
        match e:
            case Const():
                w.write(literal(e))
            case Var(name):
                w.write(name)
            case Load(array, index):
                w.write(array)
                _write_index(w, index)
            case Apply():
                _write_apply(w, e, outer)
            case Cast(dtype, arg):
                w.write(f"{dtype}(")
                write_expr(w, arg)
                w.write(")")
            case Select():
                _write_select(w, e, outer)
            case Reduce():
                _write_reduce(w, e)
            case Iterated():
                _write_iterated(w, e)
            case _:
                assert_never(e)


def _write_iterated(w: Writer, e: Iterated) -> None:
    """`n after (z, n = 0.0, 0; while z < 4.0: z, n = z * z + 1.0, n + 1)`."""
    names = ", ".join(e.names)
    w.write(f"{e.names[e.place]} after ({names} = ")
    _write_list(w, e.first)
    if isinstance(e.over, Range):
        w.write(f"; for {e.over.var} in range(")
        _write_list(w, (e.over.start, e.over.stop))
        w.write(f"): {names} = ")
    else:
        w.write("; while ")
        write_expr(w, e.over)
        w.write(f": {names} = ")
    _write_list(w, e.following)
    w.write(")")


def expr_text(e: Extent) -> str:
    """An expression, or a literal extent, as a plain string."""
    w = Writer()
    write_expr(w, expression(e))
    return w.text().value


def literal(c: Const) -> str:
    """A literal as the language writes it."""
    if isinstance(c.value, float):
        return repr(c.value)
    return str(c.value)


def graph_text(graph: Graph) -> Text:
    """The equations and blocks of a graph, the shape of each array beside it."""
    w = Writer()
    with w.mark(graph.origin):
        w.write(f"graph {graph.name}")
    w.write(f"  # for every {', '.join(graph.dims)}" if graph.dims else "")
    w.end()
    with w.indented():
        for a in graph.inputs:
            _write_array(w, a, "input")
        for s in graph.scalars:
            _write_scalar(w, s)
        for fact in graph.facts:
            w.write("fact ")
            write_expr(w, fact)
            w.end()
        for d in graph.definitions:
            _write_definition(w, d)
        w.line("return " + ", ".join(graph.outputs))
    return w.text()


def loops_text(loops: Loops) -> Text:
    """A function as Python-like loops."""
    w = Writer()
    inputs = [b for b in loops.buffers if b.role == "input"]
    with w.mark(loops.origin):
        w.write(f"def {loops.name}")
    w.write("(")
    write_parameters(w, inputs, loops.scalars)
    w.write(") -> " + ", ".join(loops.outputs) + ":")
    w.end()
    with w.indented():
        for b in loops.buffers:
            if b.role != "input":
                _write_buffer(w, b)
                w.write(f"  # {b.role}")
                w.end()
        write_body(w, loops.body)
    return w.text()


def write_body(w: Writer, body: Body) -> None:
    """Write statements, one a line."""
    for s in body:
        _write_stmt(w, s)
    if not body:
        w.line("pass")


def _write_stmt(w: Writer, s: Stmt) -> None:
    match s:
        case For() | While() | If():
            _write_compound(w, s)
            return
        case Local(name, value) | Assign(name, value):
            with w.mark(s.origin):
                w.write(f"{name} = ")
                write_expr(w, value)
        case Store():
            _write_store(w, s)
            w.write("  # atomic" if s.atomic else "  # unproved" if s.unproved else "")
            w.write(", floats in no fixed order" if adds_in_any_order(s) else "")
        case Alloc(name, dtype, shape, memory):
            with w.mark(s.origin):
                extents = f"[{', '.join(map(str, shape))}]" if shape else ""
                w.write(f"{name}: {dtype}{extents}")
            w.write(f"  # {memory.value} memory")
        case Break() | Continue():
            _write_marked(w, s, "break" if isinstance(s, Break) else "continue")
        case Barrier():
            _write_marked(w, s, "barrier()")
            w.write(f"  # {s.why}" if s.why else "")
        case Outside():
            around = "".join(f", {name} = {expr_text(x)}" for name, x in s.iteration)
            text = f"{s.array}, {expr_text(s.index[s.place])}, {expr_text(s.extent)}{around}"
            _write_marked(w, s, f"outside({text})")
        case _:
            assert_never(s)
    w.end()


def _write_marked(w: Writer, s: Break | Continue | Barrier | Outside, word: str) -> None:
    with w.mark(s.origin):
        w.write(word)


def _write_compound(w: Writer, s: For | While | If) -> None:
    match s:
        case For():
            _write_for(w, s)
        case While(cond, body):
            with w.mark(s.origin):
                w.write("while ")
                write_expr(w, cond)
                w.write(":")
            w.end()
            with w.indented():
                write_body(w, body)
        case If(cond, then, orelse):
            with w.mark(s.origin):
                w.write("if ")
                write_expr(w, cond)
                w.write(":")
            w.end()
            with w.indented():
                write_body(w, then)
            if orelse:
                w.line("else:")
                with w.indented():
                    write_body(w, orelse)
        case _:
            assert_never(s)


def _write_for(w: Writer, s: For) -> None:
    with w.mark(s.origin):
        w.write(f"for {s.var} in range(")
        if s.start != Const(0, s.start.dtype) or s.step != 1:
            write_expr(w, s.start)
            w.write(", ")
        write_expr(w, s.stop)
        w.write(f", {s.step}):" if s.step != 1 else "):")
    if s.kind is not LoopKind.SERIAL:
        w.write(f"  # {s.kind.value}")
    w.end()
    with w.indented():
        write_body(w, s.body)


def _write_store(w: Writer, s: Store) -> None:
    with w.mark(s.origin):
        with w.mark(s.place):
            w.write(s.array)
            _write_index(w, s.index)
        if s.reduce is None:
            w.write(" = ")
            write_expr(w, s.value)
            return
        op = OPS[s.reduce]
        if op.precedence != ATOM and s.reduce in {"add", "mul"}:
            w.write(f" {op.text.split()[1]}= ")
            write_expr(w, s.value)
            return
        w.write(" = ")
        before, _, rest = op.text.partition("{0}")
        between, _, after = rest.partition("{1}")
        w.write(before + s.array)
        _write_index(w, s.index)
        w.write(between)
        write_expr(w, s.value, op.precedence + 1 if op.precedence != ATOM else 0)
        w.write(after)


def _write_index(w: Writer, index: Sequence[Expr]) -> None:
    if index:
        w.write("[")
        _write_list(w, index)
        w.write("]")


def _write_list(w: Writer, items: Sequence[Expr]) -> None:
    for number, e in enumerate(items):
        if number:
            w.write(", ")
        write_expr(w, e)


def _write_apply(w: Writer, e: Apply, outer: int) -> None:
    op = OPS[e.op]
    if op.precedence == ATOM:
        w.write(op.text.partition("(")[0] + "(")
        _write_list(w, e.args)
        w.write(")")
        return
    parens = op.precedence < outer
    w.write("(" if parens else "")
    if op.arity == 1:
        w.write(op.text.partition("{0}")[0])
        write_expr(w, e.args[0], op.precedence)
    else:
        strict_left = op.compares or e.op == "pow"
        write_expr(w, e.args[0], op.precedence + strict_left)
        w.write(op.text.removeprefix("{0}").removesuffix("{1}"))
        write_expr(w, e.args[1], op.precedence + (e.op != "pow"))
    w.write(")" if parens else "")


def _write_select(w: Writer, e: Select, outer: int) -> None:
    parens = outer > _SELECT
    w.write("(" if parens else "")
    write_expr(w, e.yes, _SELECT + 1)
    w.write(" if ")
    write_expr(w, e.cond, _SELECT + 1)
    w.write(" else ")
    write_expr(w, e.no, _SELECT)
    w.write(")" if parens else "")


def _write_reduce(w: Writer, e: Reduce) -> None:
    w.write(_WORDS.get(e.op, e.op) + "(")
    write_expr(w, e.body)
    for r in e.ranges:
        w.write(" ")
        _write_range(w, r)
    if e.cond is not None:
        w.write(" if ")
        write_expr(w, e.cond)
    w.write(")")


def _write_range(w: Writer, r: Range) -> None:
    with w.mark(r.origin):
        w.write(f"for {r.var} in range(")
        if r.start != Const(0, r.start.dtype):
            write_expr(w, r.start)
            w.write(", ")
        write_expr(w, r.stop)
        w.write(")")


def _write_definition(w: Writer, d: Definition) -> None:
    match d:
        case Equation():
            shape = tuple(a.extent for a in d.axes)
            _write_array(w, Array(d.target, d.dtype, shape), "equation")
            with w.indented():
                with w.mark(d.origin):
                    with w.mark(d.place):
                        w.write(d.target + (f"[{', '.join(a.name for a in d.axes)}]"
                                            if d.axes else ""))  # fmt: skip
                    w.write(" = ")
                    write_expr(w, d.value)
                w.end()
        case Block():
            for a in d.defines:
                _write_array(w, a, "loop block")
            with w.indented():
                write_body(w, d.body)
        case Repeat():
            with w.mark(d.origin):
                _write_range(w, Range(d.var, d.start, d.stop))
            w.write(":  # repeat")
            w.end()
            with w.indented():
                for inner in d.body:
                    _write_definition(w, inner)
        case _:
            assert_never(d)


def _write_array(w: Writer, a: Array, word: str) -> None:
    with w.mark(a.origin):
        w.write(f"{a.name}: {a.dtype}")
        _write_index(w, a.shape)
    w.write(f"  # {word}")
    w.end()


def _write_scalar(w: Writer, s: Scalar) -> None:
    with w.mark(s.origin):
        w.write(f"{s.name}: {s.dtype}" + ("" if s.default is None else f" = {s.default}"))
    w.write("  # scalar")
    w.end()


def write_parameters(w: Writer, buffers: Sequence[Buffer], scalars: Sequence[Scalar]) -> None:
    """Write what a function is given: arrays with their extents, then scalars."""
    for number, b in enumerate(buffers):
        w.write(", " if number else "")
        _write_buffer(w, b)
    for number, s in enumerate(scalars):
        w.write(", " if number or buffers else "")
        with w.mark(s.origin):
            w.write(f"{s.name}: {s.dtype}")


def _write_buffer(w: Writer, b: Buffer) -> None:
    with w.mark(b.origin):
        extents = f"[{', '.join(map(expr_text, b.shape))}]" if b.shape else ""
        w.write(f"{b.name}: {b.dtype}{extents}")
