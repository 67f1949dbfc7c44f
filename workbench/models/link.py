"""One program of a model: the programs of its kernels, one after the other, over shared buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from workbench.base.device_class import Target
from workbench.base.dtypes import U32
from workbench.models.kernels import held_as
from workbench.models.memory import Life, MemoryPlan, plan
from workbench.models.specialise import Specialised
from workbench.ops.tensor import Computed, Formula, Given, Known, Tensor, Values, View
from workbench.pipeline import Compilation
from workbench.program import (
    STATUS_WORDS,
    Action,
    Buffer,
    CheckedAccess,
    Copy,
    Dispatch,
    Kernel,
    Program,
    Repeat,
    While,
)

STATUS = "status"


@dataclass(frozen=True, eq=False)
class Linked:
    """A program, its memory plan, and what a call gives it.

    `inputs` name the model's inputs or constants for each buffer of the program's inputs;
    `results` are the program's outputs by number for each output of the model, or values that are
    known without a run.
    """

    program: Program
    memory: MemoryPlan
    inputs: tuple[str | Known, ...]
    results: tuple[int | Values, ...]


@dataclass(eq=False)
class _Buffers:
    """Names of buffers, for what lies in them."""

    target: Target
    found: dict[object, str] = field(default_factory=dict[object, str])
    given: dict[str, tuple[Buffer, str | Known]] = field(
        default_factory=dict[str, "tuple[Buffer, str | Known]"]
    )


def root(x: Tensor) -> Tensor:
    """The tensor whose elements a view shows."""
    while isinstance(x.source, View):
        x = x.source.of
    return x


def link(model: Specialised, kernels: Mapping[Formula, Compilation], target: Target) -> Linked:
    """The program of the whole model, for the compilations of its formulas."""
    order = list(kernels)
    names = _names(order)
    outputs, results, copies = _outputs(model, names)
    buffers = _Buffers(target)
    parts = [_Part(n, f, kernels[f].program) for n, f in enumerate(order)]
    lives = [x for x in _lives(parts, names) if x.name not in outputs]
    memory = plan(lives)
    place = {**memory.places, **outputs}
    linked_kernels: list[Kernel] = []
    body: list[Action] = []
    for part in parts:
        renamed = _renamed(part, names, place, buffers)
        linked_kernels += [_kernel(k, part, renamed) for k in part.program.kernels]
        body += [_action(a, part.number, renamed) for a in part.program.body]
    body += [Copy(_place(x, names, place, buffers), out) for x, out in copies]
    return Linked(
        Program(
            name=model.graph.name,
            target=target,
            buffers=tuple(
                _declared(model, buffers, memory, results, target, status=_reports(parts))
            ),
            scalars=(),
            inputs=tuple(buffers.given),
            outputs=tuple(f"output{n}" for n in range(_count(results))),
            kernels=tuple(linked_kernels),
            body=tuple(body),
            loops=_loops(parts),
            accesses=_accesses(parts),
        ),
        memory,
        tuple(what for _, what in buffers.given.values()),
        results,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    number: int
    formula: Formula
    program: Program


def _count(results: Sequence[int | Values]) -> int:
    return 1 + max((r for r in results if isinstance(r, int)), default=-1)


def _names(order: Sequence[Formula]) -> dict[tuple[Formula, int], str]:
    """A name for each result of each formula."""
    return {
        (f, place): f"value{n}_{place}" for n, f in enumerate(order)
        for place in range(len(f.results))
    }  # fmt: skip


def _outputs(
    model: Specialised, names: Mapping[tuple[Formula, int], str]
) -> tuple[dict[str, str], tuple[int | Values, ...], list[tuple[Tensor, str]]]:
    """The values that are outputs, what each output of the model is, and the copies it takes."""
    outputs: dict[str, str] = {}
    results: list[int | Values] = []
    copies: list[tuple[Tensor, str]] = []
    count = 0
    for x in model.outputs:
        values = x.known
        if values is not None:
            results.append(values)
            continue
        source, out = root(x).source, f"output{count}"
        results.append(count)
        count += 1
        name = names[source.formula, source.place] if isinstance(source, Computed) else None
        if name is None or name in outputs:
            copies.append((root(x), out))
        else:
            outputs[name] = out
    return outputs, tuple(results), copies


def _lives(parts: Sequence[_Part], names: Mapping[tuple[Formula, int], str]) -> list[Life]:
    """From where to where each value between kernels is needed, those of one formula inside too."""
    last: dict[str, int] = {}
    for part in parts:
        for x in part.formula.inputs:
            source = root(x).source
            if isinstance(source, Computed):
                last[names[source.formula, source.place]] = part.number
    lives: list[Life] = []
    for part in parts:
        program = part.program
        sizes = [program.buffer(n).size for n in program.outputs]
        for place, size in enumerate(sizes):
            name = names[part.formula, place]
            lives.append(Life(name, size, part.number, last.get(name, part.number)))
        lives += [
            Life(_inner(part.number, b.name), b.size, part.number, part.number)
            for b in program.buffers
            if b.role == "temporary"
        ]
    return lives


def _inner(number: int, name: str) -> str:
    return f"{name}_{number}"


def _renamed(
    part: _Part,
    names: Mapping[tuple[Formula, int], str],
    place: Mapping[str, str],
    buffers: _Buffers,
) -> dict[str, str]:
    """The buffers of a kernel's program as those of the whole."""
    program = part.program
    renamed: dict[str, str] = {}
    for name, x in zip(program.inputs, part.formula.inputs, strict=True):
        renamed[name] = _place(root(x), names, place, buffers)
    for n, name in enumerate(program.outputs):
        renamed[name] = place[names[part.formula, n]]
    for b in program.buffers:
        if b.role == "temporary":
            renamed[b.name] = place[_inner(part.number, b.name)]
        elif b.role == "status":
            renamed[b.name] = STATUS
    return renamed


def _place(
    x: Tensor,
    names: Mapping[tuple[Formula, int], str],
    place: Mapping[str, str],
    buffers: _Buffers,
) -> str:
    """The buffer that a tensor lies in; those that a call gives are noted."""
    match x.source:
        case Computed(formula, number):
            return place[names[formula, number]]
        case Given(name, _):
            return _given(f"input_{name}", x, name, name, buffers)
        case Known() as source:
            return _given("constant", x, source, id(source.values), buffers)
        case View():
            msg = "a view has no place of its own"
            raise AssertionError(msg)
        case _:
            assert_never(x.source)


def _given(word: str, x: Tensor, what: str | Known, key: object, buffers: _Buffers) -> str:
    found = buffers.found.get((word, key, x.dtype))
    if found is None:
        found = f"given{len(buffers.given)}"
        dtype = held_as(x.dtype, buffers.target)
        buffers.given[found] = (Buffer(found, dtype, x.shape, "input"), what)
        buffers.found[word, key, x.dtype] = found
    return found


def _declared(
    model: Specialised,
    buffers: _Buffers,
    memory: MemoryPlan,
    results: Sequence[int | Values],
    target: Target,
    *,
    status: bool,
) -> Iterator[Buffer]:
    """Every buffer of the program."""
    yield from (b for b, _ in buffers.given.values())
    for x, result in zip(model.outputs, results, strict=True):
        if isinstance(result, int):
            yield Buffer(f"output{result}", held_as(x.dtype, target), x.shape, "output")
    for name, size in memory.sizes.items():
        yield Buffer(name, U32, (-(-size // 4),), "temporary")
    if status:
        yield Buffer(STATUS, U32, (STATUS_WORDS,), "status")


def _reports(parts: Sequence[_Part]) -> bool:
    """Whether a kernel may have something to report."""
    return any(b.role == "status" for part in parts for b in part.program.buffers)


def _loops(parts: Sequence[_Part]) -> tuple[str, ...]:
    """The loops with a budget by number; where kernels have the same number, all it may mean."""
    found: dict[int, dict[str, None]] = {}
    for part in parts:
        for number, words in enumerate(part.program.loops):
            found.setdefault(number, {})[words] = None
    return tuple(" or ".join(found[n]) for n in sorted(found))


def _accesses(parts: Sequence[_Part]) -> tuple[CheckedAccess, ...]:
    """The checked accesses by number; where kernels have the same number, all that it may mean."""
    found: dict[int, list[CheckedAccess]] = {}
    for part in parts:
        for number, access in enumerate(part.program.accesses):
            known = found.setdefault(number, [])
            if access not in known:
                known.append(access)
    return tuple(_either(found[n]) for n in sorted(found))


def _either(accesses: Sequence[CheckedAccess]) -> CheckedAccess:
    first = accesses[0]
    if len(accesses) == 1:
        return first
    words = "one of these: " + "; ".join(a.text.split("\n")[0] for a in accesses)
    return CheckedAccess(words, (), first.finds)


def _kernel(k: Kernel, part: _Part, renamed: Mapping[str, str]) -> Kernel:
    bindings = tuple(replace(b, buffer=renamed[b.buffer]) for b in k.bindings)
    entry = k.entry if part.program.target == "wgsl" else k.function
    return replace(k, name=f"{k.name}_{part.number}", bindings=bindings, entry=entry)


def _action(action: Action, number: int, renamed: Mapping[str, str]) -> Action:
    match action:
        case Dispatch(kernel, workgroups):
            return Dispatch(f"{kernel}_{number}", workgroups)
        case Copy(source, target):
            return Copy(renamed[source], renamed[target])
        case Repeat(count, body):
            return Repeat(count, tuple(_action(a, number, renamed) for a in body))
        case While(flag, body):
            return While(renamed[flag], tuple(_action(a, number, renamed) for a in body))
        case _:
            assert_never(action)
