"""`parse`: the text of a cell becomes a module, or one `SourceError` with all its mistakes.

Python reads the text into a tree; the tree is checked and never executed.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, TypeVar

from workbench.base.errors import Mistake, SourceError
from workbench.base.source import Span
from workbench.lang import refuse
from workbench.lang.functions import functions
from workbench.lang.kernels import kernel
from workbench.lang.module import Module, ScheduleText
from workbench.lang.names import Callee, Context
from workbench.lang.report import Report
from workbench.lang.schedules import is_schedule, schedule
from workbench.lang.signature import has_arrays, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.base.source import Source
    from workbench.ir.graph import Graph

T = TypeVar("T")

LARGEST_TEXT = 200_000
"""Characters of a text."""
DEEPEST = 100
"""How many nodes of the tree may stand inside each other."""


def parse(source: Source) -> Module:
    """Read a text. Raises `SourceError`: the syntax error, or every mistake in the text."""
    report = Report.of(source)
    if len(source.text) > LARGEST_TEXT:
        raise SourceError(
            f"the text has {len(source.text)} characters, at most {LARGEST_TEXT} are read",
            hint="kernels in cells of their own",
        )
    tree = _tree(report)
    deep = _too_deep(tree)
    if deep is not None:
        hint = "an equation of its own for the inner part"
        raise SourceError(Mistake("nested too deeply", report.span(deep), hint))
    module = _module(report, tree)
    if report.mistakes:
        raise SourceError(*sorted(report.mistakes, key=_place))
    return module


def _tree(report: Report) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(report.source.text)
    except SyntaxError as error:
        span = None
        if error.lineno is not None:
            first = (error.offset or 1) - 1
            last = (error.end_offset or 0) - 1 if error.end_lineno == error.lineno else first + 1
            span = report.characters(error.lineno, first, last)
        elif (zero := report.source.text.find("\0")) >= 0:
            span = Span(report.source, zero, zero + 1)
        raise SourceError(Mistake(_words(error), span)) from None
    except (RecursionError, MemoryError):
        raise SourceError(
            "nested too deeply", hint="an equation of its own for the inner part"
        ) from None
    except ValueError as error:
        raise SourceError(f"the text cannot be read: {error}") from None


def _words(error: SyntaxError) -> str:
    message = error.msg.rstrip(".")
    return "syntax error: " + message[:1].lower() + message[1:]


def _place(mistake: Mistake) -> tuple[int, int]:
    return (-1, -1) if mistake.span is None else (mistake.span.start, mistake.span.end)


def _too_deep(tree: ast.Module) -> ast.expr | ast.stmt | None:
    """The first expression or statement that lies deeper than is read."""
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return next((x for x in level if isinstance(x, ast.expr | ast.stmt)), None)


def _module(report: Report, tree: ast.Module) -> Module:
    kernels: list[Graph] = []
    schedules: list[ScheduleText] = []
    nodes = [s for s in tree.body if isinstance(s, ast.FunctionDef)]
    _refuse_doubles(report, nodes)
    plain = [f for f in nodes if not is_schedule(f)]
    names = [f.name for f in plain if _is_kernel(f)]
    known: dict[str, Callee] = dict.fromkeys(names)
    known |= functions(report, [f for f in plain if not _is_kernel(f)])
    for statement in tree.body:
        match statement:
            case ast.FunctionDef() if is_schedule(statement):
                schedules += _some(schedule(report, statement, names))
            case ast.FunctionDef():
                _refuse_decorators(report, statement)
                if _is_kernel(statement):
                    graph = kernel(report, statement, known)
                    known[statement.name] = graph
                    kernels += _some(graph)
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case _:
                _refuse(report, statement)
    if not names and not schedules and not report.mistakes:
        raise SourceError(
            "the text has no kernel", hint="a function of arrays: def double(x: f32[N]) -> f32[N]:"
        )
    return Module(tuple(kernels), tuple(schedules))


def _some(value: T | None) -> Iterator[T]:
    if value is not None:
        yield value


def _refuse_decorators(report: Report, node: ast.FunctionDef) -> None:
    c = Context(report, {})
    for decorator in node.decorator_list:
        if not c.dunder(decorator, report.text(decorator)):
            c.wrong(decorator, f"'{report.text(decorator)}' is no decorator of the language",
                    hint="no line: a kernel has none")  # fmt: skip


def _is_kernel(node: ast.FunctionDef) -> bool:
    """An array stands in the signature, or no parameter has a dtype and elements are written."""
    untyped = not any(isinstance(a.annotation, ast.Name) for a in parameters_of(node))
    writes = any(isinstance(x, ast.Subscript) and isinstance(x.ctx, ast.Store)
                 for x in ast.walk(node))  # fmt: skip
    return has_arrays(node) or (untyped and writes)


def _refuse(report: Report, statement: ast.stmt) -> None:
    """A statement beside the functions of the text."""
    c = Context(report, {})
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            c.wrong(statement, "a text consists of functions; an equation stands in a kernel",
                    hint="a parameter of the kernel: alpha: f32 = 0.5")  # fmt: skip
        case ast.Expr() if not _hidden(c, statement):
            c.wrong(statement, "a text consists of functions; what calls them stands in a cell of "
                    "Python", hint="no line here")  # fmt: skip
        case _:
            refuse.statement(c, statement)


def _hidden(c: Context, statement: ast.stmt) -> bool:
    """Whether a name with two underscores stands there, which is reported."""
    return any(c.dunder(x, x.id) for x in ast.walk(statement) if isinstance(x, ast.Name))


def _refuse_doubles(report: Report, functions: list[ast.FunctionDef]) -> None:
    seen: dict[str, ast.FunctionDef] = {}
    for f in functions:
        if f.name in seen:
            line = report.span(seen[f.name]).position[0]
            place = report.span(f)
            head = type(place)(place.source, place.start, place.start + len("def ") + len(f.name))
            hint = report.mended(head, f"def {f.name}_2")
            report.wrong(head, f"'{f.name}' is defined at line {line} already", hint=hint)
        seen.setdefault(f.name, f)
