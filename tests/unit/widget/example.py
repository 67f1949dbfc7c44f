"""A panel written by hand, for the tests of the panel on both sides and for js/dev.

`⟦7:A[i, k]⟧` in a text below is the characters `A[i, k]` with a mark for origin 7.
Running this file writes js/dev/fixtures/*.json, which the page's tests read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench.widget.messages import (
    Agreement,
    Caret,
    Check,
    CheckState,
    Failure,
    MarkedText,
    Origins,
    PanelState,
    Run,
    Stage,
    encode,
)
from workbench.widget.states import output_of

FIXTURES = Path(__file__).parents[3] / "js" / "dev" / "fixtures"

SOURCE = """\
⟦0:def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    ⟦1:⟦2:C[i, j]⟧ = ⟦3:sum(⟦4:⟦5:A[i, k]⟧ * ⟦6:B[k, j]⟧⟧ for k in range(K))⟧⟧
    ⟦7:return C⟧⟧
"""

GRAPH = """\
⟦8:matmul(A: f32[64, 64], B: f32[64, 64]) -> f32[64, 64]
    ⟦9:C[i, j] = ⟦10:sum over k of ⟦11:⟦12:A[i, k]⟧ * ⟦13:B[k, j]⟧⟧⟧⟧
        i < 64, j < 64, k < 64⟧
"""

LOOPS = """\
⟦14:for i in range(64):
    for j in range(64):
        ⟦15:C[i, j] = 0.0⟧
        ⟦16:for k in range(64):
            ⟦17:C[i, j] += ⟦18:⟦19:A[i, k]⟧ * ⟦20:B[k, j]⟧⟧⟧⟧⟧
"""

SCHEDULED = """\
⟦21:for i_o in parallel(8):  # workgroup.y
    for j_o in parallel(8):  # workgroup.x
        for i_i in parallel(8):  # invocation.y
            for j_i in parallel(8):  # invocation.x
                ⟦22:c = 0.0⟧
                ⟦23:for k in range(64):
                    ⟦24:c += ⟦25:⟦26:A[i_o * 8 + i_i, k]⟧ * ⟦27:B[k, j_o * 8 + j_i]⟧⟧⟧⟧
                ⟦28:C[i_o * 8 + i_i, j_o * 8 + j_i] = c⟧⟧
"""

KERNEL = """\
⟦29:kernel matmul_C  workgroups (8, 8, 1)  workgroup_size (8, 8, 1)
    reads A, B  writes C
    ⟦30:i = workgroup.y * 8 + invocation.y⟧
    ⟦31:j = workgroup.x * 8 + invocation.x⟧
    ⟦32:c = 0.0⟧
    ⟦33:for k in range(64):
        ⟦34:c += ⟦35:⟦36:A[i, k]⟧ * ⟦37:B[k, j]⟧⟧⟧⟧
    ⟦38:C[i, j] = c⟧⟧
"""

WGSL = """\
// C = matmul(A, B): one invocation for one element of C
@group(0) @binding(0) var<storage, read> A: array<f32>;        // 64 x 64
@group(0) @binding(1) var<storage, read> B: array<f32>;        // 64 x 64
@group(0) @binding(2) var<storage, read_write> C: array<f32>;  // 64 x 64

⟦39:@compute @workgroup_size(8, 8, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(local_invocation_id) invocation: vec3u,
) {
    ⟦40:let i = workgroup.y * 8u + invocation.y;⟧
    ⟦41:let j = workgroup.x * 8u + invocation.x;⟧
    ⟦42:var c = 0.0f;⟧
    ⟦43:for (var k = 0u; k < 64u; k++) {
        ⟦44:c = c + ⟦45:⟦46:A[i * 64u + k]⟧ * ⟦47:B[k * 64u + j]⟧⟧;⟧
    }⟧
    ⟦48:C[i * 64u + j]⟧ = c;
}⟧
"""

PARENTS = {
    8: 0, 9: 1, 10: 3, 11: 4, 12: 5, 13: 6,
    14: 9, 15: 9, 16: 10, 17: 9, 18: 11, 19: 12, 20: 13,
    21: 14, 22: 15, 23: 16, 24: 17, 25: 18, 26: 19, 27: 20, 28: 2,
    29: 21, 30: 21, 31: 21, 32: 22, 33: 23, 34: 24, 35: 25, 36: 26, 37: 27, 38: 28,
    39: 29, 40: 30, 41: 31, 42: 32, 43: 33, 44: 34, 45: 35, 46: 36, 47: 37, 48: 38,
}  # fmt: skip
NOTES = {21: "split i and j by 8, parallelize", 22: "cache C in a register"}


def read_marked(text: str) -> tuple[str, tuple[int, ...]]:
    """The text without its brackets, and its marks, outer ones first."""
    plain: list[str] = []
    marks: list[list[int]] = []
    open_marks: list[list[int]] = []
    length = at = 0
    while at < len(text):
        if text[at] == "⟦":
            colon = text.index(":", at)
            mark = [length, length, int(text[at + 1 : colon])]
            marks.append(mark)
            open_marks.append(mark)
            at = colon + 1
        elif text[at] == "⟧":
            open_marks.pop()[1] = length
            at += 1
        else:
            plain.append(text[at])
            length += 1
            at += 1
    return "".join(plain), tuple(value for mark in marks for value in mark)


def stage(name: str, marked: str, *, seconds: float, note: str, state: CheckState) -> Stage:
    """One stage of the example."""
    text, marks = read_marked(marked)
    sizes = "M=64, N=64, K=64"
    words = {
        "tick": f"executed at {sizes}; agrees with float64, largest difference 2.4e-07",
        "cross": f"executed at {sizes}; C[0, 3] is 1.25, float64 says 1.5",
    }
    return Stage(
        name,
        text,
        marks,
        seconds,
        note,
        "wgsl" if name == "wgsl" else "python",
        Check(state, words.get(state, "")),
    )


def matmul(*, last: CheckState = "tick") -> PanelState:
    """Matmul, checked and run; `last` is the check of the WGSL."""
    left = np.random.default_rng(1).random((64, 64), dtype=np.float32)
    waves = np.sin(np.arange(64, dtype=np.float32) / 6)[:, None] * left + left.T
    stages = (
        stage("source", SOURCE, seconds=0.0, note="what you wrote", state="none"),
        stage(
            "graph", GRAPH, seconds=0.0011, note="what is computed, nothing on how", state="tick"
        ),
        stage("loops", LOOPS, seconds=0.0024, note="one loop for each index", state="tick"),
        replace(
            stage("simplified", LOOPS, seconds=0.0003, note="constants folded", state="tick"),
            changed=False,
        ),
        stage(
            "scheduled", SCHEDULED, seconds=0.0049, note="loops after the schedule", state="tick"
        ),
        stage("kernel", KERNEL, seconds=0.0017, note="what one invocation does", state="tick"),
        stage("wgsl", WGSL, seconds=0.0032, note="the code that the device compiles", state=last),
    )
    origins = Origins(
        parents=tuple((PARENTS[i],) if i in PARENTS else () for i in range(49)),
        spans=tuple(spans()),
        notes=tuple(NOTES.get(i, "") for i in range(49)),
    )
    run = Run(
        device="browser",
        adapter="SwiftShader",
        reason="asked for with --on browser",
        compile_seconds=0.0136,
        transfer_seconds=0.0012,
        run_seconds=0.0047,
        caution="software adapter",
        remarks=("C may differ from run to run in its last digits: it is an example",),
        agreements=(
            Agreement("interpreter", Check("tick", "largest difference 2.4e-07")),
            Agreement("native", Check("tick", "equal")),
            Agreement("cpu", Check("tick", "largest difference 4.8e-07")),
        ),
        outputs=(output_of("C", waves * 3),),
    )
    return PanelState("matmul", stages, origins, run)


def spans() -> list[tuple[int, int] | None]:
    """Spans of the origins that stand in the source."""
    _, marks = read_marked(SOURCE)
    found: list[tuple[int, int] | None] = [None] * 49
    for place in range(0, len(marks), 3):
        found[marks[place + 2]] = (marks[place], marks[place + 1])
    return found


def refused() -> PanelState:
    """A cell with two mistakes, one of them after characters beyond the basic plane."""
    text = (
        "def blur(x: f32[H, W]) -> f32[H, W]:\n"
        '    """Mean of three 😀 neighbours"""\n'
        "    y[i, j] = (x[i, j - 1] + x[i, j] + z[i, j + 1]) / 3\n"
        "    return y\n"
    )
    line = text.splitlines()[2]
    carets = (
        Caret(3, line.index("x[i, j - 1]"), 11, "j = 0 reads column -1; try: max(j - 1, 0)"),
        Caret(3, line.index("z"), 1, "unknown name 'z'; did you mean 'x'?"),
    )
    failure = Failure(
        kind="SourceError",
        message="2 mistakes",
        hint="x[i, max(j - 1, 0)]",
        texts=(MarkedText("cell", text, carets),),
    )
    return PanelState("blur", failure=failure)


def write_fixtures() -> None:
    """Write the examples where the page's tests and js/dev find them."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, state in {"matmul": matmul(), "refused": refused()}.items():
        (FIXTURES / f"{name}.json").write_bytes(encode(state) + b"\n")


if __name__ == "__main__":
    write_fixtures()
