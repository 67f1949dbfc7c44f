"""A fault put into any one stage turns that stage's tick into a cross."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.kernels import CASES
from workbench.codegen import wasm
from workbench.ir.device import Mapped
from workbench.ir.expr import Apply, Expr, rebuild
from workbench.ir.graph import Equation, Graph
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Barrier, Body, map_bodies, map_exprs
from workbench.pipeline import Compilation
from workbench.program import Program

TEXTS = {c.name: c.text for c in CASES if c.name in {"matmul", "softmax"}}
SWAPS = {"mul": "add", "sub": "add", "div": "mul"}


def swapped(e: Expr) -> Expr:
    """The expression with its float products, differences and quotients made wrong."""
    inner = rebuild(e, swapped)
    if isinstance(inner, Apply) and inner.op in SWAPS and inner.dtype.kind == "f":
        return replace(inner, op=SWAPS[inner.op])
    return inner


def wrong(value: Any) -> Any:
    match value:
        case Graph():
            definitions = tuple(
                replace(d, value=swapped(d.value)) if isinstance(d, Equation) else d
                for d in value.definitions
            )
            return replace(value, definitions=definitions)
        case Loops():
            return replace(value, body=tuple(map_exprs(s, swapped) for s in value.body))
        case Mapped():
            kernels = tuple(
                replace(k, body=tuple(map_exprs(s, swapped) for s in k.body)) for k in value.kernels
            )
            return replace(value, kernels=kernels)
        case Program(target="wasm"):
            kernels = tuple(
                replace(k, code=_wrong_code(k.text.value, "llvm")) for k in value.kernels
            )
            return wasm.from_source(replace(value, kernels=kernels))
        case Program():
            kernels = tuple(
                replace(k, code=_wrong_code(k.code, value.target)) for k in value.kernels
            )
            return replace(value, kernels=kernels)
        case _:
            return value


def _wrong_code(code: str, target: str) -> str:
    changes = (("fmul float", "fadd float"), ("fdiv float", "fmul float"))
    if target == "wgsl":
        changes = (("] * B", "] + B"), ("] / y_sum", "] * y_sum"))
    for right, false in changes:
        code = code.replace(right, false)
    return code


def compiled(name: str, on: str) -> Compilation:
    k = wb.kernel(TEXTS[name])
    return k.compile(on=on, dims=dict.fromkeys(k.graph.symbols(), 9))


@pytest.mark.parametrize("on", ["native", "cpu", "wasm"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_wrong_operator_is_seen_at_its_stage_and_only_there(name: str, on: str) -> None:
    c = compiled(name, on)
    clean = {x.stage: x.state for x in c.check()}
    for stage in c.stages.values():
        broken = wrong(stage.value)
        if broken is stage.value or stage.name == "graph":
            continue
        states = {x.stage: x.state for x in c.with_stage(stage.name, broken).check()}

        expected = clean | {stage.name: "none" if clean[stage.name] == "none" else "cross"}
        if not isinstance(stage.value, Graph):
            assert states == expected
        else:
            assert states[stage.name] == "cross"


def without_barriers(body: Body) -> Body:
    return tuple(map_bodies(s, without_barriers) for s in body if not isinstance(s, Barrier))


def test_a_deleted_barrier_is_reported_with_both_accesses() -> None:
    k = wb.kernel(TEXTS["matmul"])
    schedule = (
        k.schedule()
        .parallelize("i", "workgroup.y", 4)
        .parallelize("j", "workgroup.x", 4)
        .cache("C", "private", at="j_i")
        .split("k", 4)
        .cache("A", "workgroup", at="k_o")
    )
    c = k.compile(schedule, dims={"M": 8, "K": 8, "N": 8})
    mapped: Mapped = c.stages["kernel"].value
    broken = replace(
        mapped, kernels=tuple(replace(x, body=without_barriers(x.body)) for x in mapped.kernels)
    )
    rng = np.random.default_rng(0)
    inputs = {n: rng.standard_normal((8, 8)).astype(np.float32) for n in "AB"}
    _, clean = run_mapped(mapped, inputs, {}, seed=1)
    _, findings = run_mapped(broken, inputs, {}, seed=1)

    assert clean.ok
    assert not findings.ok
    assert "A" in findings.faults[0].words
