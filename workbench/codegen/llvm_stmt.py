"""Statements as LLVM instructions.

Loops are labels and jumps, locals and private arrays are memory that LLVM turns into registers,
and loops that may be long look at the stop word now and then. Imports no LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import assert_never

from workbench.base.errors import InternalError
from workbench.base.source import NOWHERE, Origin
from workbench.codegen.faults import describe_access, reported
from workbench.codegen.llvm_expr import (
    ANY,
    Counter,
    Place,
    Register,
    Scope,
    Slot,
    address,
    bounds,
    fixed,
    load,
    operation,
    store,
    value,
    wide,
)
from workbench.codegen.llvm_lanes import write_vector
from workbench.codegen.llvm_lines import array_type, type_of
from workbench.ir.expr import Const, Expr
from workbench.ir.extents import LARGEST_OPEN, uniform
from workbench.ir.graph import Scalar
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
    Memory,
    Outside,
    Stmt,
    Store,
    While,
    walk_stmts,
)
from workbench.program import STATUS_ITERATION

POLL = 2**20
"""About so many statements are run, at most, between two looks at the stop word."""

_SHORT = 16
"""Statements of a body that is run 2^24 times in well under a second."""

STATUS = "(status)"
"""What scopes call the buffer of status words; no array of a source has such a name."""

FINISH = "finish"
"""The label that leaves the function, at the end or when the run is to stop."""


_ATOMIC = {
    ("add", "i"): "add", ("max", "i"): "max", ("min", "i"): "min",
    ("add", "u"): "add", ("max", "u"): "umax", ("min", "u"): "umin",
    ("add", "f"): "fadd", ("max", "f"): "fmaximum", ("min", "f"): "fminimum",
}  # fmt: skip
"""What LLVM calls the atomic updates, by operation and kind of dtype."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Where `break` and `continue` go; empty outside of loops."""

    leave: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """How a loop counts, as i64 operands; `period` is how often it polls, 0 for never."""

    counter: str
    start: str
    stop: str
    step: int
    period: int


def write_slots(scope: Scope, body: Body) -> None:
    """Write the memory of every local that is assigned to and every private array in a body."""
    for s in walk_stmts(body):
        match s:
            case Local(name, e, fixed=False):
                text = f"alloca {type_of(e.dtype)}"
                scope.names[name] = Slot(scope.lines.value(name, text, s.origin))
            case Alloc(name, dtype, shape, memory) if memory is not Memory.STORAGE:
                text = f"alloca {array_type(dtype, shape)}" + (", align 64" if shape else "")
                pointer = scope.lines.value(name, text, s.origin)
                scope.arrays[name] = Place(pointer, dtype, shape)
            case _:
                pass


def write_open(scope: Scope, scalars: Iterable[Scalar]) -> None:
    """Write the open dims among the parameters as numbers as wide as loop counters."""
    for s in scalars:
        if s.name in scope.open:
            known = scope.names[s.name]
            assert isinstance(known, Register), "a parameter"
            register = scope.lines.value(f"{s.name}.wide", f"zext i32 {known.register} to i64")
            scope.names[s.name] = Counter(register, (0, LARGEST_OPEN))


def write_range(scope: Scope, loop: For, *, begin: str, end: str) -> None:
    """Write a loop of which the iterations `begin` to `end` (i64 operands, from 0) are run.

    The loop starts at a literal. It does not poll: whoever calls chooses the range.
    """
    lines = scope.lines
    start, count = literal_of(loop.start), trips(loop)
    assert start is not None, loop.var
    above = min(bounds(scope, loop.stop)[1], ANY[1])
    count = above - start if count is None else count
    plain = start == 0 and loop.step == 1
    counter = lines.fresh(loop.var if plain else f"{loop.var}.number")
    last = start + max(0, count - 1) * loop.step

    def bind() -> Counter:
        register = f"%{counter}"
        if not plain:
            scaled = lines.value("scaled", f"mul nsw i64 {register}, {loop.step}", loop.origin)
            register = lines.value(loop.var, f"add nsw i64 {scaled}, {start}", loop.origin)
        return Counter(register, (start, last))

    lines.note(_heading(loop) + "; here its iterations from begin to end")
    _loop(scope, loop, Steps(counter, begin, end, 1, 0), bind)


def write_body(scope: Scope, body: Body, inside: Inside) -> bool:
    """Write the statements of a body; gives whether its end is reached."""
    return all(_write(scope, s, inside) for s in body)


def trips(loop: For) -> int | None:
    """How many iterations a loop has, if its bounds are literals."""
    start, stop = literal_of(loop.start), literal_of(loop.stop)
    if start is None or stop is None:
        return None
    return max(0, -(-(stop - start) // loop.step))


def literal_of(e: Expr) -> int | None:
    """The value of an integer literal."""
    return int(e.value) if isinstance(e, Const) else None


def _write(scope: Scope, s: Stmt, inside: Inside) -> bool:  # noqa: C901  (a total match)
    """Write a statement; gives whether what follows it is reached."""
    match s:
        case For():
            _for(scope, s)
        case While():
            _while(scope, s)
        case If():
            return _if(scope, s, inside)
        case Local(name, e, fixed=True):
            scope.names[name] = fixed(scope, e)
        case Local() | Assign():
            _assign(scope, s)
        case Store():
            _store(scope, s)
        case Outside():
            _report(scope, s)
        case Alloc():
            pass  # `write_slots` wrote it
        case Break():
            scope.lines.jump(inside.leave, s.origin)
            return False
        case Continue():
            scope.lines.jump(inside.again, s.origin)
            return False
        case Barrier():
            raise InternalError("a barrier stands in the loops; only device kernels have them")
        case _:
            assert_never(s)
    return True


def _for(scope: Scope, loop: For) -> None:
    count = trips(loop)
    if loop.kind is LoopKind.VECTOR and count is not None:
        scope.lines.note(_heading(loop))
        write_vector(scope, loop, count, _store)
        return
    start, stop = wide(scope, loop.start), wide(scope, loop.stop)
    counter = scope.lines.fresh(loop.var)
    least, above = bounds(scope, loop.start)[0], min(bounds(scope, loop.stop)[1], ANY[1])
    span = (least, max(least, above - 1))
    scope.lines.note(_heading(loop))
    steps = Steps(counter, start, stop, loop.step, _period(loop, scope.open))
    _loop(scope, loop, steps, lambda: Counter(f"%{counter}", span))


def _loop(scope: Scope, loop: For, steps: Steps, bind: Callable[[], Counter]) -> None:
    lines, origin, counter = scope.lines, loop.origin, steps.counter
    head, body, again, done = (
        lines.fresh(f"{loop.var}.{part}") for part in ("head", "body", "again", "done")
    )
    following, before = lines.fresh(f"{loop.var}.next"), lines.label
    lines.jump(head, origin)
    lines.begin(head)
    arms = f"[ {steps.start}, %{before} ], [ %{following}, %{again} ]"
    lines.line(f"%{counter} = phi i64 {arms}", origin)
    more = lines.value(f"{loop.var}.more", f"icmp slt i64 %{counter}, {steps.stop}", origin)
    lines.branch(more, body, done, origin)
    lines.begin(body)
    if steps.period:
        _poll_at_times(scope, steps, origin)
    scope.names[loop.var] = bind()
    if write_body(scope, loop.body, Inside(done, again)):
        lines.jump(again, origin)
    lines.begin(again)
    lines.line(f"%{following} = add nsw i64 %{counter}, {steps.step}", origin)
    unrolled = loop.kind is LoopKind.UNROLLED
    lines.jump(head, origin, metadata=lines.unrolled() if unrolled else "")
    lines.begin(done)


def _while(scope: Scope, s: While) -> None:
    lines = scope.lines
    head, body, done = (lines.fresh(f"while.{part}") for part in ("head", "body", "done"))
    lines.jump(head, s.origin)
    lines.begin(head)
    _poll(scope, s.origin)
    lines.branch(value(scope, s.cond), body, done, s.origin)
    lines.begin(body)
    if write_body(scope, s.body, Inside(done, head)):
        lines.jump(head, s.origin)
    lines.begin(done)


def _if(scope: Scope, s: If, inside: Inside) -> bool:
    lines = scope.lines
    cond = value(scope, s.cond)
    then, after = lines.fresh("if.then"), lines.fresh("if.after")
    other = lines.fresh("if.else") if s.orelse else after
    lines.branch(cond, then, other, s.origin)
    reached = not s.orelse
    for label, body in ((then, s.then), (other, s.orelse)):
        if label != after:
            lines.begin(label)
            if write_body(scope, body, inside):
                lines.jump(after, s.origin)
                reached = True
    if reached:
        lines.begin(after)
    return reached


def _assign(scope: Scope, s: Local | Assign) -> None:
    operand = value(scope, s.value)
    match scope.names[s.name]:
        case Slot(pointer):
            text = f"store {type_of(s.value.dtype)} {operand}, ptr {pointer}"
            scope.lines.line(text, s.origin)
        case other:
            raise InternalError(f"'{s.name}' is assigned to and was declared fixed: {other}")


def _store(scope: Scope, s: Store) -> None:
    """Write a store.

    The old element that a reducing one reads belongs to its left side, as the store does: when
    LLVM moves both out of a loop, they keep the place that they agree on.
    """
    target = s.origin if s.place is NOWHERE else s.place
    operand = value(scope, s.value)
    pointer, place = address(scope, s.array, s.index, target)
    function = f"atomic.{s.reduce}.{place.dtype.name}"
    if s.atomic and function in scope.functions:
        scope.defined[function] = (s.reduce or "", place.dtype)
        kind = type_of(place.dtype)
        scope.lines.line(f"call void @{function}(ptr {pointer}, {kind} {operand})", target)
        return
    if s.atomic:
        text = f"atomicrmw {_ATOMIC[s.reduce or '', place.dtype.kind]} ptr {pointer}, "
        scope.lines.line(f"{text}{type_of(place.dtype)} {operand} monotonic", target)
        return
    if s.reduce is not None:
        old = load(scope, pointer, place.dtype, name=f"{s.array}.old", origin=target)
        operand = operation(scope, s.reduce, [old, operand], place.dtype, s.origin)
    store(scope, operand, pointer, place.dtype, target)


def _report(scope: Scope, s: Outside) -> None:
    """Say in the status words, if nobody did before, which access left its array, and where.

    What `Program` says of them.
    """
    lines = scope.lines
    number = len(scope.accesses)
    scope.accesses.append(describe_access(s))
    words = {1: str(~number), 3: value(scope, s.index[s.place])}
    for word, x in enumerate(reported(s), STATUS_ITERATION):
        words[word] = value(scope, x)
    status = scope.arrays[STATUS].pointer
    text = f"atomicrmw xchg ptr {status}, i32 1 monotonic"
    said = lines.value("said", text, s.origin)
    first = lines.value("first", f"icmp eq i32 {said}, 0", s.origin)
    report, after = lines.fresh("report"), lines.fresh("reported")
    lines.branch(first, report, after, s.origin)
    lines.begin(report)
    for word, operand in words.items():
        place = lines.value("word", f"getelementptr i32, ptr {status}, i64 {word}", s.origin)
        lines.line(f"store i32 {operand}, ptr {place}", s.origin)
    lines.jump(after, s.origin)
    lines.begin(after)


def _poll(scope: Scope, origin: Origin) -> None:
    """Leave the function if the run is to stop."""
    lines = scope.lines
    word = lines.value("stop.word", "load atomic i32, ptr %stop monotonic, align 4", origin)
    asked = lines.value("stop.asked", f"icmp ne i32 {word}, 0", origin)
    on = lines.fresh("go.on")
    lines.branch(asked, FINISH, on, origin)
    lines.begin(on)


def _poll_at_times(scope: Scope, steps: Steps, origin: Origin) -> None:
    """Poll in one of `period` values of the counter, or in every iteration."""
    lines = scope.lines
    if steps.period == 1:
        _poll(scope, origin)
        return
    tick = lines.value("tick", f"and i64 %{steps.counter}, {steps.period - 1}", origin)
    due = lines.value("poll.due", f"icmp ult i64 {tick}, {steps.step}", origin)
    look, on = lines.fresh("poll"), lines.fresh("no.poll")
    lines.branch(due, look, on, origin)
    lines.begin(look)
    _poll(scope, origin)
    lines.jump(on, origin)
    lines.begin(on)


def _period(loop: For, open_dims: tuple[str, ...]) -> int:
    """How many counts may pass between two polls of a loop (a power of two); 0: it need not.

    Polls keep LLVM from using vectors, so an innermost loop over an open dim goes without: it
    runs at most 2^24 times.
    """
    inner, count = 1 + sum(map(_cost, loop.body)), trips(loop)
    if uniform(loop.stop, open_dims) and inner < _SHORT:
        return 0
    if count is not None and count * inner <= POLL:
        return 0
    return 1 << max((loop.step - 1).bit_length(), (POLL // inner).bit_length() - 1)


def _cost(s: Stmt) -> int:
    """About how many statements run, at most, without a poll."""
    match s:
        case For():
            count = trips(s)
            inner = 1 + sum(map(_cost, s.body))
            return POLL if count is None else min(POLL, count * inner)
        case While():
            return POLL
        case If(_, then, orelse):
            return 1 + sum(map(_cost, (*then, *orelse)))
        case Local() | Assign() | Store() | Alloc() | Break() | Continue() | Barrier() | Outside():
            return 1
        case _:
            assert_never(s)


def _heading(loop: For) -> str:
    start, stop = literal_of(loop.start), literal_of(loop.stop)
    limits = ", ".join("..." if x is None else str(x) for x in (start, stop))
    step = "" if loop.step == 1 else f", {loop.step}"
    kind = "" if loop.kind is LoopKind.SERIAL else f", {loop.kind.value}"
    return f"for {loop.var} in range({limits}{step}){kind}"
