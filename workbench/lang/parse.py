"""`parse`: the text of a cell becomes a module, or one `SourceError` with all its mistakes.

Python reads the text into a tree; the tree is checked and never executed.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, TypeVar

from workbench.base.errors import Mistake, SourceError
from workbench.lang import refuse
from workbench.lang.kernels import kernel
from workbench.lang.module import Module, ScheduleText
from workbench.lang.names import Context
from workbench.lang.report import Report
from workbench.lang.schedules import is_schedule, schedule
from workbench.lang.signature import has_arrays

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
    functions = [s for s in tree.body if isinstance(s, ast.FunctionDef)]
    names = [f.name for f in functions if not is_schedule(f)]
    _refuse_doubles(report, functions)
    for statement in tree.body:
        match statement:
            case ast.FunctionDef() if is_schedule(statement):
                schedules += _some(schedule(report, statement, names))
            case ast.FunctionDef():
                kernels += _some(_kernel(report, statement, frozenset(names)))
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case _:
                _refuse(report, statement)
    if not functions and not report.mistakes:
        raise SourceError("the text has no kernel", hint="def double(x: f32[N]) -> f32[N]:")
    return Module(tuple(kernels), tuple(schedules))


def _some(value: T | None) -> Iterator[T]:
    if value is not None:
        yield value


def _kernel(report: Report, node: ast.FunctionDef, names: frozenset[str]) -> Graph | None:
    c = Context(report, {})
    for decorator in node.decorator_list:
        if not c.dunder(decorator, report.text(decorator)):
            c.wrong(decorator, f"'@{report.text(decorator)}' is no decorator of the language",
                    hint="@schedule(name_of_a_kernel)")  # fmt: skip
    if not has_arrays(node) and not _says_nothing(node):
        refuse.inlined_function(c, node)
        return None
    return kernel(report, node, names - {node.name})


def _says_nothing(node: ast.FunctionDef) -> bool:
    """No parameter has a type: the mistake is in the signature."""
    parameters = [*node.args.posonlyargs, *node.args.args]
    return bool(parameters) and all(a.annotation is None for a in parameters)


def _refuse(report: Report, statement: ast.stmt) -> None:
    """A statement beside the functions of the text."""
    c = Context(report, {})
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            c.wrong(statement, "a text consists of functions; an equation stands in a kernel",
                    hint="def double(x: f32[N]) -> f32[N]:")  # fmt: skip
        case _:
            refuse.statement(c, statement)


def _refuse_doubles(report: Report, functions: list[ast.FunctionDef]) -> None:
    seen: dict[str, ast.FunctionDef] = {}
    for f in functions:
        if f.name in seen:
            line = report.span(seen[f.name]).position[0]
            place = report.span(f)
            head = type(place)(place.source, place.start, place.start + len("def ") + len(f.name))
            report.wrong(head, f"'{f.name}' is defined at line {line} already",
                         hint=f"def {f.name}_2(...)")  # fmt: skip
        seen.setdefault(f.name, f)
