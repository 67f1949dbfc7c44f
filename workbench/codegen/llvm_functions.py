"""Functions that a kernel brings along: operations that are no instruction of LLVM's.

Their meaning is their `define` in the table of operations, or a text that the processor has for
them. Imports no LLVM.
"""

from __future__ import annotations

import re

from workbench.codegen.llvm_expr import Name, Register, Scope, value
from workbench.codegen.llvm_lines import type_of
from workbench.ir.expr import Apply, Var
from workbench.ir.ops import OPS, definition

_CALLED = re.compile(r"call [^@]*@([\w.]+)\(")


def needed(scope: Scope) -> tuple[str, ...]:
    """The functions that what was written calls, those that they call in turn among them."""
    found = dict.fromkeys(scope.defined)
    waiting = list(found)
    while waiting:
        called = _CALLED.findall(scope.functions.get(waiting.pop(), ""))
        new = [f for f in called if f in scope.functions and f not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return tuple(found)


def write_definition(scope: Scope, function: str) -> None:
    """Write the function that says what an operation without an instruction of its own means."""
    if function in scope.functions:
        for line in scope.functions[function].splitlines():
            scope.lines.plain(line)
        return
    op, dtype = scope.defined[function]
    names = ("a", "b", "c")[: OPS[op].arity]
    meaning = definition(Apply(op, tuple(Var(n, dtype) for n in names), dtype))
    assert meaning is not None, function
    lines = scope.lines
    lines.forget_names()
    parameters = ", ".join(f"{type_of(dtype)} %{lines.fresh(n)}" for n in names)
    result = type_of(meaning.dtype)
    lines.plain(f"define internal {result} @{function}({parameters}) alwaysinline {{")
    lines.begin("entry")
    registers: dict[str, Name] = {n: Register(f"%{n}") for n in names}
    inner = Scope(lines, registers, defined=scope.defined, written={}, functions=scope.functions)
    lines.line(f"ret {result} {value(inner, meaning)}")
    lines.plain("}")
