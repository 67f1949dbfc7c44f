"""Traffic: what is counted on the loops equals what a walk through every iteration meets."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.ir.bound import bound
from workbench.ir.count import Count, count_points, points_of
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, Select, Var, apply, integer
from workbench.ir.ops import OPS
from workbench.ir.stmt import Alloc, Assign, Body, For, If, Local, LoopKind, Store
from workbench.measure.nests import rows
from workbench.measure.traffic import Traffic, traffic
from workbench.pipeline import Compilation
from workbench.schedule.next_steps import effect

MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
BLUR = """
def blur(x: f32[H, W]) -> f32[H, W]:
    y[i, j] = (x[i - 1, j] if i > 0 else 0.0) + x[i, j] + (x[i + 1, j] if i < H - 1 else 0.0)
    return y
"""
TRIANGLE = """
def lower(L: f32[N, N], x: f32[N]) -> f32[N]:
    y[i] = sum(L[i, k] * x[k] for k in range(i))
    return y
"""


class Walk:
    """Runs loops one iteration after the other and counts accesses and float operations.

    The values of elements are all 0: in these kernels none of them decides anything.
    """

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.operations = 0

    def body(self, body: Body, env: dict[str, Any]) -> None:
        for s in body:
            match s:
                case For():
                    alone = s.kind is LoopKind.COOPERATIVE and any(
                        env[name] for name in env if name.startswith("invocation ")
                    )
                    start, stop = self.value(s.start, env), self.value(s.stop, env)
                    for n in () if alone else range(int(start), int(stop), s.step):
                        inner = {**env, s.var: n}
                        if s.kind.value.startswith("invocation."):
                            inner[f"invocation {s.var}"] = n
                        self.body(s.body, inner)
                case If():
                    self.body(s.then if self.value(s.cond, env) else s.orelse, env)
                case Local(name, value) | Assign(name, value):
                    env = {**env, name: self.value(value, env)}
                case Store():
                    for e in (*s.index, s.value):
                        self.value(e, env)
                    self.writes[s.array] += 1
                    self.reads[s.array] += s.reduce is not None
                    self.operations += s.reduce is not None
                case Alloc():
                    pass
                case _:
                    raise AssertionError(s)

    def value(self, e: Expr, env: dict[str, Any]) -> Any:
        match e:
            case Const(value):
                return value
            case Var(name):
                return env[name]
            case Load(array):
                self.reads[array] += 1
                return 0.0
            case Apply(op, args):
                self.operations += args[0].dtype.kind == "f"
                values = [self.value(x, env) for x in args]
                return OPS[op].numpy(
                    *(np.asarray(v, x.dtype.numpy) for v, x in zip(values, args, strict=True))
                )
            case Cast(_, arg):
                return self.value(arg, env)
            case Select(cond, yes, no):
                return self.value(yes if self.value(cond, env) else no, env)
            case _:
                raise AssertionError(e)


def walked(c: Compilation) -> Walk:
    """The counts of a walk through the scheduled loops."""
    walk = Walk()
    walk.body(bound(c.stages["scheduled"].value, c.dims).body, {})
    return walk


def compiled(name: str) -> Compilation:
    """Small kernels, each with a schedule whose tails do not divide."""
    match name:
        case "naive matmul":
            k = wb.kernel(MATMUL)
            return k.compile(k.schedule(), on="cpu", dims={"M": 5, "N": 7, "K": 3})
        case "tiled matmul":
            k = wb.kernel(MATMUL)
            s = k.schedule().parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 4)
            s = s.split("k", 4).cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
            return k.compile(s, on="native", dims={"M": 6, "N": 9, "K": 10})
        case "blur":
            k = wb.kernel(BLUR)
            return k.compile(k.schedule().split("i", 4), on="cpu", dims={"H": 7, "W": 5})
        case _:
            return wb.kernel(TRIANGLE).compile(on="native", dims={"N": 11})


NAMES = ("naive matmul", "tiled matmul", "blur", "triangle")


@pytest.mark.parametrize("name", NAMES)
def test_reads_and_writes_are_those_of_a_walk(name: str) -> None:
    c = compiled(name)
    walk = walked(c)
    found = {a.array: a for n in traffic(c).nests for a in n.arrays}

    assert {a: x.reads.value for a, x in found.items()} == {a: walk.reads[a] for a in found}
    assert {a: x.writes.value for a, x in found.items()} == {a: walk.writes[a] for a in found}
    assert {x.reads.tag for x in found.values()} == {"exact"}
    assert set(found) == set(walk.reads) | set(walk.writes)


@pytest.mark.parametrize("name", ["naive matmul", "tiled matmul", "triangle"])
def test_operations_are_those_of_a_walk(name: str) -> None:
    c = compiled(name)

    assert traffic(c).nests[0].operations == Count(walked(c).operations)


def test_a_choice_makes_operations_modelled() -> None:
    assert traffic(compiled("blur")).nests[0].operations.tag == "modelled"


def test_a_tile_of_a_tiled_matmul_reuses_what_it_fetches() -> None:
    (nest,) = traffic(compiled("tiled matmul")).nests
    arrays = {a.array: a for a in nest.arrays}

    assert nest.tiles == Count(2 * 3)
    assert nest.invocations == 16
    assert arrays["A"].reuse == 1.0
    assert arrays["A_workgroup"].distinct == Count(16)
    assert [u.value for u in nest.uses] == [16, 2 * 16 * 4]


@pytest.mark.parametrize("name", NAMES)
def test_rows_run_as_often_as_a_walk_says(name: str) -> None:
    c = compiled(name)
    walk = walked(c)
    found = rows(c.stages["scheduled"].value, c.dims)
    stores = Counter[str]()
    for r in found:
        if r.kind == "statement":
            stores[re.split(r"\W", r.text, maxsplit=1)[0]] += r.times.value

    assert stores == walk.writes
    assert found[0].share == pytest.approx(sum(r.share for r in found if r.depth == 0) or 1.0)


def test_loops_are_named_as_schedules_name_them() -> None:
    c = compiled("tiled matmul")
    found = rows(c.stages["scheduled"].value, c.dims)

    assert [r.loop for r in found if r.loop] == [
        "i_o", "i_i", "j_o", "j_i", "k_o", "fetch", "fetch_1", "k_i"
    ]  # fmt: skip
    assert {r.loop: r.runs_as for r in found}["j_o"] == "workgroup.x"
    assert {r.text.partition(":")[0]: r.memory for r in found}["A_workgroup"] == "workgroup"


def test_what_data_decide_is_modelled() -> None:
    k = wb.kernel(
        "def csr(row: i32[R], v: f32[Z]) -> f32[R - 1]:\n"
        "    y[i] = sum(v[p] for p in range(row[i], row[i + 1]))\n"
        "    return y\n"
    )
    (nest,) = traffic(k.compile(on="cpu", dims={"R": 5, "Z": 9})).nests

    assert next(a for a in nest.arrays if a.array == "v").reads.tag == "modelled"


@pytest.mark.parametrize("name", NAMES)
def test_the_predicted_effect_of_a_step_counts_what_a_walk_meets(name: str) -> None:
    c = compiled(name)
    loops = bound(c.stages["scheduled"].value, c.dims)
    walk, stored = walked(c), {b.name for b in loops.buffers}
    found = effect(loops)

    assert found.reads == Count(sum(n for a, n in walk.reads.items() if a in stored))
    assert found.writes == Count(sum(n for a, n in walk.writes.items() if a in stored))


def test_turns_are_counted() -> None:
    k = wb.kernel(
        "def heat(u: f32[N], T: i32) -> f32[N]:\n"
        "    for t in range(3):\n"
        "        u[i] = u[max(i - 1, 0)] + u[i]\n"
        "    return u\n"
    )
    found: Traffic = traffic(k.compile(on="cpu", dims={"N": 8}))

    assert sum(n.turns == Count(3) for n in found.nests) >= 1


def test_points_of_a_box_are_a_product_and_need_no_enumeration() -> None:
    huge = [apply("ge", Var("i"), integer(0)), apply("lt", Var("i"), integer(2**30))]

    assert count_points(["i"], huge) == Count(2**30)
    assert points_of([Var("i")], ["i"], huge) is None
