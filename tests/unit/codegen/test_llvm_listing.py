"""Origins are read back from LLVM's listings, also where LLVM moved or folded an instruction."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("llvmlite")

from tests.unit.ir.programs import SOURCE, at, f32, loop, var
from workbench.base.dtypes import F32
from workbench.base.text import Text, concatenated
from workbench.codegen.listing import (
    _folded,
    assembly,
    instructions,
    optimised,
    origin_rows,
    rows,
    unoptimised,
)
from workbench.codegen.llvm import emit
from workbench.ir.expr import Load, apply
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import LoopKind, Store
from workbench.program import Program, from_json
from workbench.runtime.llvm import optimised as optimise

A, B, C = at("A[i, k]"), at("B[k, j]"), at("C[i, j]")
PRODUCT, SUM = at("A[i, k] * B[k, j]"), at("sum(A[i, k] * B[k, j] for k in range(K))")
WHOLE = at(SOURCE.text)
STAGES = {"llvm": unoptimised, "llvm-opt": optimised, "asm": assembly}


@pytest.fixture(scope="module")
def matmul() -> Program:
    i, j, k = var("i"), var("j"), var("k")
    a, b = Load("A", (i, k), F32, origin=A), Load("B", (k, j), F32, origin=B)
    product = apply("mul", a, b, origin=PRODUCT)
    nest = loop(
        "j", 24,
        Store("C", (i, j), f32(0.0), origin=SUM, place=C),
        loop("k", 24, Store("C", (i, j), product, "add", origin=SUM, place=C)),
    )  # fmt: skip
    shape = (24, 24)
    buffers = (
        Buffer("A", F32, shape, "input"),
        Buffer("B", F32, shape, "input"),
        Buffer("C", F32, shape, "output"),
    )
    return emit(
        Loops("matmul", buffers, (), (loop("i", 24, nest, kind=LoopKind.PARALLEL),), ("C",))
    )


def words(text: Text, origin: object) -> list[str]:
    return [text.value[m.start : m.end] for m in text.marks if m.origin is origin]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("origin", [A, B, C, PRODUCT, SUM], ids=lambda o: o.span.text)
def test_each_subexpression_is_marked(matmul: Program, stage: str, origin: object) -> None:
    assert words(STAGES[stage](matmul), origin)


@pytest.mark.parametrize("stage", STAGES)
def test_the_multiplication_is_marked_as_the_product(matmul: Program, stage: str) -> None:
    assert all(re.search(r"f?mul", w) for w in words(STAGES[stage](matmul), PRODUCT))


@pytest.mark.parametrize("stage", STAGES)
def test_what_has_no_origin_stays_unmarked(matmul: Program, stage: str) -> None:
    """The function that unpacks the arguments stands for nothing in the source."""
    text = STAGES[stage](matmul)
    entry = re.search(r"^(define void @)?_?matmul[(:]", text.value, re.MULTILINE)
    assert entry is not None

    assert all(m.end <= entry.start() for m in text.marks)


@pytest.mark.parametrize("stage", STAGES)
def test_a_listing_shows_no_debug_noise(matmul: Program, stage: str) -> None:
    noise = re.search(
        r"!dbg|!\d|\.loc|\.cfi|\.size|\.type|attributes|declare|ModuleID|Ltmp",
        STAGES[stage](matmul).value,
    )

    assert noise is None


def test_the_code_that_llvm_reads_is_the_text_with_debug_locations(matmul: Program) -> None:
    (kernel,) = matmul.kernels
    bare = re.sub(r",? !dbg !\d+", "", kernel.code)
    shown = [x for x in kernel.text.value.splitlines() if not x.startswith("  ;")]

    assert bare.splitlines()[: len(shown)] == shown


def test_a_program_without_marks_is_listed_without_marks(matmul: Program) -> None:
    saved = from_json(matmul.to_json())

    assert optimised(saved).marks == ()
    assert optimised(saved).value == optimised(matmul).value


def test_texts_are_joined_with_their_marks(matmul: Program) -> None:
    one = unoptimised(matmul)
    two = concatenated([one, one])

    assert words(two, PRODUCT) == 2 * words(one, PRODUCT)


MOVED = """define internal void @k.body(ptr %A, i64 %n) noinline !dbg !4 {
entry:
  %A.i = load float, ptr %A, !dbg !5
  br label %head, !dbg !6
head:
  %x = phi float [ 0.0, %entry ], [ %y, %head ], !dbg !6
  %y = fadd float %x, %A.i, !dbg !6
  %more = fcmp olt float %y, 1.0, !dbg !6
  br i1 %more, label %head, label %done, !dbg !6
done:
  store float %y, ptr %A, !dbg !6
  ret void
}

define void @k(ptr %A) {
  call void @k.body(ptr %A, i64 0)
  ret void
}

!llvm.module.flags = !{!0}
!llvm.dbg.cu = !{!1}
!0 = !{i32 2, !"Debug Info Version", i32 3}
!1 = distinct !DICompileUnit(language: DW_LANG_C99, file: !2, emissionKind: DebugDirectivesOnly)
!2 = !DIFile(filename: "k", directory: ".")
!3 = !DISubroutineType(types: !{})
!4 = distinct !DISubprogram(name: "k", scope: !2, file: !2, line: 1, type: !3, unit: !1, \
spFlags: DISPFlagDefinition)
!5 = !DILocation(line: 1, scope: !4)
!6 = !DILocation(line: 2, scope: !4)
"""


def test_a_load_that_llvm_moved_out_of_a_loop_keeps_its_origin() -> None:
    """LLVM drops the location of what it hoists; its name tells."""
    load_line = "  %A.i = load float, ptr %A, !dbg !5\n"
    inside = MOVED.replace(load_line, "").replace("  %y = fadd", load_line + "  %y = fadd")
    optimised_code = optimise(inside)
    assert re.search(r"%A.i = load float, ptr %A, align 4$", optimised_code, re.MULTILINE)

    (load,) = [r for r in origin_rows(inside) if r.loads and r.located]

    assert load.name == "A.i"
    assert load.line == 1


def test_lines_outside_of_the_body_have_no_origin() -> None:
    found = rows(MOVED)

    assert {r.line for r in found if r.located} == {0, 1, 2}
    assert not any(r.located for r in found if "call void" in r.raw)


def test_the_operand_of_an_instruction_is_the_load_it_took_in() -> None:
    """Line 3 uses loads of lines 1 and 2; only line 1 has an instruction of its own."""
    listing = (
        "define void @k() !dbg !9 {\n"
        "  %a = load float, ptr %p, !dbg !1\n"
        "  %b = load float, ptr %q, !dbg !2\n"
        "  %c = fmul float %a, %b, !dbg !3\n"
        "}\n"
        "!1 = !DILocation(line: 1, scope: !9)\n"
        "!2 = !DILocation(line: 2, scope: !9)\n"
        "!3 = !DILocation(line: 3, scope: !9)\n"
    )

    assert _folded(rows(listing), frozenset({1, 3})) == {3: 2}
    assert _folded(rows(listing), frozenset({3})) == {}


def test_an_operand_is_found_behind_what_became_part_of_the_instruction() -> None:
    """Line 4 tests the word of line 1 as line 2; neither 2 nor 1 has an instruction."""
    listing = (
        "define void @k() !dbg !9 {\n"
        "  %a = load i32, ptr %p, !dbg !1\n"
        "  %b = icmp ne i32 %a, 0, !dbg !2\n"
        "  %c = zext i1 %b to i32, !dbg !4\n"
        "}\n"
        "!1 = !DILocation(line: 1, scope: !9)\n"
        "!2 = !DILocation(line: 2, scope: !9)\n"
        "!4 = !DILocation(line: 4, scope: !9)\n"
    )

    assert _folded(rows(listing), frozenset({4}))[4] == 1
    assert 4 not in _folded(rows(listing), frozenset({2, 4}))


def test_an_instruction_moved_before_its_branch_keeps_its_origin() -> None:
    """LLVM gives what it runs in any case the line of the branch; the name says better."""
    branch = "  %y = fadd float %x, %A.i, !dbg !5\n"
    code = MOVED.replace("  %y = fadd float %x, %A.i, !dbg !6\n", branch)

    (addition,) = [r for r in origin_rows(code) if r.name == "y"]

    assert addition.line == 1


ASSEMBLY = """\t.file\t"k"
\t.section\t.rodata.cst4,"aM",@progbits,4
.LCPI0_0:
\t.long\t0x3f800000
\t.text
\t.type\tk.body,@function
k.body:
.Lfunc_begin0:
\t.cfi_startproc
\t.loc\t1 3 0 prologue_end
\tvmulss\t(%rdi), %xmm0, %xmm1
.Ltmp0:
.LBB0_1:
\t.loc\t1 0 0 is_stmt 0
\tjne\t.LBB0_1
\tretq
\t.section\t.debug_line,"",@progbits
.Lline_table_start0:
"""


def test_assembly_is_read_by_lines_with_their_locations() -> None:
    found = [(i.text.strip(), i.line) for i in instructions(ASSEMBLY)]

    assert found == [
        (".LCPI0_0:", 0),
        (".long 0x3f800000", 0),
        ("k.body:", 0),
        ("vmulss     (%rdi), %xmm0, %xmm1", 3),
        (".LBB0_1:", 0),
        ("jne        .LBB0_1", 0),
        ("retq", 0),
    ]
