"""WGSL from device kernels: one module per kernel, entry point `main`, written for a reader.

Names are the source's (`wgsl_names`), arrays are flat with literal strides, every expression
and statement is marked with its origin; loops and conditions at their header only. Loops
without a proved end carry an iteration budget (`wgsl_loops`). Nothing here knows what a
kernel computes: what is fast is the schedule's business.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import U32
from workbench.base.text import Writer
from workbench.codegen.faults import describe_access, reported
from workbench.codegen.order import actions
from workbench.codegen.wgsl_atomic import (
    atomic_arrays,
    element_type,
    functions as atomic_functions,
    write_functions as write_atomic_functions,
)
from workbench.codegen.wgsl_expr import ArrayPlace, Scope, scalar_type, stored_type
from workbench.codegen.wgsl_functions import needs, write_extensions, write_needs
from workbench.codegen.wgsl_lanes import packed_arrays, vector_arrays
from workbench.codegen.wgsl_loops import Faults, describe_loop, loop_cost
from workbench.codegen.wgsl_names import wgsl_names
from workbench.codegen.wgsl_prepare import declared_names, prepare
from workbench.codegen.wgsl_stmt import Emission, array_type, write_body
from workbench.ir.bound import bound_buffers
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS, DeviceKernel, Mapped
from workbench.ir.expr import free_names
from workbench.ir.extents import LARGEST_OPEN, Extent
from workbench.ir.show import expr_text
from workbench.ir.stmt import Alloc, Body, Local, Memory, Outside, expressions, walk_stmts
from workbench.program import (
    LOOP_BUDGET,
    STATUS_ITERATION,
    STATUS_WORDS,
    Action,
    Binding,
    Buffer,
    Copy,
    Kernel,
    Parameter,
    Program,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workbench.base.source import Origin

_SOURCE_LINES = 4
"""The most source lines that a kernel's header repeats."""


def emit(mapped: Mapped) -> Program:
    """The WGSL program of a mapped function without open dims; raises as `translate` does."""
    return translate(mapped)({})


def translate(mapped: Mapped) -> Callable[[Mapping[str, int]], Program]:
    """The WGSL program of a mapped function, for any values of its open dims: with one text.

    An output that is an input is returned as a copy, in a buffer of its own.
    Raises `CodegenError` for dtypes WGSL does not have.
    """
    found = Faults()
    taken = {b.name for b in mapped.buffers}
    status, scalars = _free("status", taken), _free("scalars", taken)
    sized = [(k.name, k.workgroups) for k in mapped.kernels]
    codes = [_kernel(k, mapped, found, (status, scalars)) for k in mapped.kernels]

    def at(values: Mapping[str, int]) -> Program:
        shaped = bound_buffers(mapped.buffers, values)
        buffers = [Buffer(b.name, b.dtype, b.sizes, b.role, b.panels) for b in shaped]
        outputs, copies = _outputs(mapped, buffers, set(taken))
        if found.loops or found.accesses:
            buffers.append(Buffer(status, U32, (STATUS_WORDS,), "status"))
        if any(k.scalars for k in mapped.kernels):
            words = -(-len(mapped.scalars) // 4) * 4
            buffers.append(Buffer(scalars, U32, (words,), "scalars"))
        return Program(
            mapped.name,
            "wgsl",
            tuple(buffers),
            tuple(Parameter(s.name, s.dtype, values.get(s.name)) for s in mapped.scalars),
            tuple(b.name for b in mapped.buffers if b.role == "input"),
            outputs,
            tuple(replace(code, iterations=cost(values)) for code, cost in codes),
            (*actions(mapped.order, sized, values), *copies),
            tuple(found.loops),
            tuple(found.accesses),
        )

    return at


def _free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name


def _outputs(
    mapped: Mapped, buffers: list[Buffer], taken: set[str]
) -> tuple[tuple[str, ...], list[Action]]:
    """The buffers returned, and the copies that fill those that only repeat another one."""
    outputs: list[str] = []
    copies: list[Action] = []
    for name in mapped.outputs:
        source = next(b for b in buffers if b.name == name)
        if source.role == "output" and name not in outputs:
            outputs.append(name)
            continue
        copy = _free(f"{name}_copy", taken)
        buffers.append(Buffer(copy, source.dtype, source.shape, "output"))
        copies.append(Copy(name, copy))
        outputs.append(copy)
    return tuple(outputs), copies


def _kernel(
    kernel: DeviceKernel,
    mapped: Mapped,
    found: Faults,
    buffers: tuple[str, str],
) -> tuple[Kernel, Callable[[Mapping[str, int]], tuple[int, int]]]:
    """One module, and its `iterations` for values of the open dims.

    What it may report is appended to `found`, in which its number counts.
    """
    ids = (*WORKGROUP_IDS, *LOCAL_IDS)
    outside = [*(b.name for b in kernel.buffers), *(s.name for s in mapped.scalars)]
    body = prepare(kernel.body, (*outside, *declared_names(kernel.body), *ids))
    needed = needs((*body, *_extents(kernel)))
    declared = (*outside, *declared_names(body), *atomic_functions(body))
    names = wgsl_names(declared, needed.functions)
    fields = wgsl_names((s.name for s in mapped.scalars), ()) if kernel.scalars else {}
    cost = loop_cost(body, kernel, dict.fromkeys(mapped.open, (0, LARGEST_OPEN)))
    numbers: dict[int, int] = {}
    for loop in cost.unproved:
        numbers[id(loop)] = len(found.loops)
        found.loops.append(describe_loop(loop))
    faults, around = _faults(body, found)
    scope = Scope(
        {**names, **{name: name.replace(".", "_") for name in ids}},
        {name: f"scalars.{field}" for name, field in fields.items()},
        _arrays(kernel, body, names),
    )
    w = Writer()
    _write_header(w, kernel, mapped.origin)
    write_extensions(w, kernel.buffers, mapped.scalars if kernel.scalars else (), body)
    bindings = _write_bindings(
        w, kernel, scope, (buffers[0] if numbers or faults else "", buffers[1])
    )
    if kernel.scalars:
        _write_scalars(w, mapped, fields, len(bindings) - 1)
    _write_workgroup_memory(w, body, scope)
    _write_main(w, kernel, body, Emission(scope, numbers, faults, around))
    if numbers:
        _write_budget(w)
    if faults:
        _write_outside(w, around)
    write_needs(w, needed)
    write_atomic_functions(w, body, scope)
    text = w.text()
    code = Kernel(kernel.name, text.value, bindings, kernel.workgroup_size, text=text)
    return code, lambda values: _iterations(body, kernel, values)


def _faults(body: Body, found: Faults) -> tuple[dict[int, int], int]:
    """The numbers of the accesses that may be reported, and the most indices around one."""
    reports = [s for s in walk_stmts(body) if isinstance(s, Outside)]
    first = len(found.accesses)
    found.accesses.extend(describe_access(s) for s in reports)
    numbers = {id(s): n for n, s in enumerate(reports, first)}
    return numbers, max((len(reported(s)) for s in reports), default=0)


def _iterations(body: Body, kernel: DeviceKernel, values: Mapping[str, int]) -> tuple[int, int]:
    """`Kernel.iterations` for values of the open dims."""
    cost = loop_cost(body, kernel, {name: (n, n) for name, n in values.items()})
    return cost.fixed, cost.each


def _extents(kernel: DeviceKernel) -> Iterator[Local]:
    """The open extents of its buffers, as statements: their functions are needed, too."""
    for b in kernel.buffers:
        yield from (Local("extent", x) for x in b.shape if not isinstance(x, int))


def _arrays(kernel: DeviceKernel, body: Body, names: dict[str, str]) -> dict[str, ArrayPlace]:
    shared = atomic_arrays(body)
    places = {
        b.name: ArrayPlace(names[b.name], b.dtype, b.shape, storage=True, atomic=b.name in shared)
        for b in kernel.buffers
    }
    private, lanes = set[str](), vector_arrays(body)
    for s in walk_stmts(body):
        if isinstance(s, Alloc):
            places[s.name] = ArrayPlace(
                names[s.name], s.dtype, s.shape, storage=False, lanes=lanes.get(s.name, 0)
            )
            private |= {s.name} if s.memory is Memory.PRIVATE else set()
    shared_places = {n: p for n, p in places.items() if n not in private}
    for name in packed_arrays(body, shared_places):
        places[name] = replace(places[name], packed=True)
    return places


def _write_header(w: Writer, kernel: DeviceKernel, root: Origin) -> None:
    w.write("// ")
    with w.mark(root):
        w.write(kernel.name)
    w.end()
    for text in _source_lines(kernel.origin):
        w.write("//     ")
        with w.mark(kernel.origin):
            w.write(text)
        w.end()
    count = _counted(kernel.workgroups, "workgroup")
    w.line(f"// {count} of {_counted(kernel.workgroup_size, 'invocation')}")
    w.line()


def _sizes(axes: tuple[Extent, Extent, Extent]) -> list[str]:
    """The sizes along x, y, z; trailing ones are left out."""
    used = max((n + 1 for n, size in enumerate(axes) if size != 1), default=1)
    return [expr_text(size) for size in axes[:used]]


def _counted(axes: tuple[Extent, Extent, Extent], word: str) -> str:
    """`4 x 4 workgroups`, `1 workgroup`."""
    return " x ".join(_sizes(axes)) + f" {word}" + ("" if axes == (1, 1, 1) else "s")


def _source_lines(origin: Origin) -> Sequence[str]:
    """The lines of the source that the kernel's origin stands in, at most a few."""
    span = origin.nearest_span()
    if span is None:
        return ()
    first = span.position[0]
    last = span.source.position(max(span.start, span.end - 1))[0]
    lines = [span.source.line(n).strip() for n in range(first, last + 1)]
    flat = [" ".join(text.splitlines()) for text in lines if text]
    return flat if len(flat) <= _SOURCE_LINES else [*flat[:_SOURCE_LINES], "..."]


def _write_bindings(
    w: Writer, kernel: DeviceKernel, scope: Scope, extra: tuple[str, str]
) -> tuple[Binding, ...]:
    """Declare the storage buffers in order, then the status words and the scalars."""
    bindings: list[Binding] = []
    for index, b in enumerate(kernel.buffers):
        access = "read_write" if b.name in kernel.written else "read"
        bindings.append(Binding(index, b.name, access))
        w.write(f"@group(0) @binding({index}) var<storage, {access}> ")
        with w.mark(b.origin):
            place = scope.arrays[b.name]
            element = element_type(place, b.origin) if place.atomic else stored_type(b.dtype)
            if place.packed:
                w.write(f"{place.name}: {array_type(b.dtype, b.sizes, packed=True)}")
            else:
                w.write(f"{place.name}: array<{element}{_count(b.shape)}>")
        w.write(f";  // {b.dtype}[{', '.join(map(expr_text, b.shape))}]" if b.shape else ";")
        w.end()
    status, scalars = extra
    if status:
        index = len(bindings)
        bindings.append(Binding(index, status, "read_write"))
        w.write(f"@group(0) @binding({index}) var<storage, read_write> ")
        w.write(f"status: array<atomic<u32>, {STATUS_WORDS}>;")
        w.end()
    if kernel.scalars:
        bindings.append(Binding(len(bindings), scalars, "uniform"))
    return tuple(bindings)


def _count(shape: tuple[Extent, ...]) -> str:
    """How many elements an array type has, as it says it; nothing where a dim is open."""
    numbers = [x for x in shape if isinstance(x, int)]
    return f", {max(1, math.prod(numbers))}" if len(numbers) == len(shape) else ""


def _write_scalars(w: Writer, mapped: Mapped, fields: dict[str, str], index: int) -> None:
    w.line(f"@group(0) @binding({index}) var<uniform> scalars: Scalars;")
    w.line()
    w.line("struct Scalars {")
    with w.indented():
        for s in mapped.scalars:
            with w.mark(s.origin):
                w.write(f"{fields[s.name]}: {scalar_type(s.dtype)}")
            w.write(",")
            w.end()
    w.line("}")


def _write_workgroup_memory(w: Writer, body: Body, scope: Scope) -> None:
    for s in _workgroup_arrays(body):
        w.line()
        with w.mark(s.origin):
            place = scope.arrays[s.name]
            kind = array_type(s.dtype, s.shape, packed=place.packed)
            w.write(f"var<workgroup> {place.name}: {kind};")
        w.end()


def _workgroup_arrays(body: Body) -> list[Alloc]:
    return [s for s in walk_stmts(body) if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP]


def _write_main(w: Writer, kernel: DeviceKernel, body: Body, emission: Emission) -> None:
    used = frozenset[str]().union(
        *(free_names(e) for s in walk_stmts(body) for e in expressions(s))
    )
    used -= set(declared_names(body))
    builtins = {"workgroup_id": WORKGROUP_IDS, "local_invocation_id": LOCAL_IDS}
    wanted = {k: [n for n in ids if n in used] for k, ids in builtins.items()}
    w.line()
    w.line(f"@compute @workgroup_size({', '.join(_sizes(kernel.workgroup_size))})")
    if any(wanted.values()):
        w.line("fn main(")
        with w.indented():
            for builtin, ids in wanted.items():
                if ids:
                    w.line(f"@builtin({builtin}) {ids[0][:-2]}: vec3<u32>,")
        w.line(") {")
    else:
        w.line("fn main() {")
    with w.indented():
        for ids in wanted.values():
            for name in ids:
                w.line(f"let {name.replace('.', '_')} = i32({name});")
        if emission.budgets:
            w.line("var budget = loop_budget();")
        write_body(w, body, emission)
    w.line("}")


def _write_budget(w: Writer) -> None:
    """`budget`: what the device grants in word 2 of status, or the usual one; 0 once used up."""
    w.line()
    w.line("// Loops whose end is not proved share a budget of iterations in each invocation.")
    w.line("// Whoever uses it up says so in status; invocations that start later have none.")
    w.line("fn loop_budget() -> u32 {")
    w.line("    if (atomicLoad(&status[0]) != 0u) { return 0u; }")
    w.line("    let granted = atomicLoad(&status[2]);")
    w.line(f"    return select(granted, {LOOP_BUDGET}u, granted == 0u);")
    w.line("}")
    w.line()
    w.line("fn out_of_budget(loop_number: u32) {")
    w.line(
        "    if (atomicExchange(&status[0], 1u) == 0u) { atomicStore(&status[1], loop_number); }"
    )
    w.line("}")


def _write_outside(w: Writer, around: int) -> None:
    """`outside`: the first access that is no element, as `Buffer` says; `around` indices of it."""
    w.line()
    w.line("// An access outside of its array is not made; the first one is reported.")
    indices = f", around: array<i32, {around}>" if around else ""
    w.line(f"fn outside(access_number: u32, index: i32{indices}) {{")
    w.line("    if (atomicExchange(&status[0], 1u) == 0u) {")
    w.line("        atomicStore(&status[1], ~access_number);")
    w.line("        atomicStore(&status[3], bitcast<u32>(index));")
    for n in range(around):
        place = STATUS_ITERATION + n
        w.line(f"        atomicStore(&status[{place}], bitcast<u32>(around[{n}]));")
    w.line("    }")
    w.line("}")
