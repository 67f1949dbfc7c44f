"""What is read of a hand-written shader, and what is refused, at which place."""

from __future__ import annotations

import pytest

from workbench.base.dtypes import F32, I32, U32
from workbench.base.errors import CallError, SourceError
from workbench.base.source import Source
from workbench.frontends.wgsl import Shader, read
from workbench.frontends.wgsl_program import fitting, program_of
from workbench.program import Copy, Dispatch, Program, from_json

OUT = "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n"
MAIN = "@compute @workgroup_size(64) fn main() { y[0] = 1.0; }\n"


def shader(text: str, entry: str | None = None) -> Shader:
    return read(Source(text), entry)


def shapes_of(declarations: str) -> dict[str, tuple[int | None, ...]]:
    return {s.name: s.shape for s in shader(OUT + declarations + MAIN).storage}


@pytest.mark.parametrize(
    ("written", "dtype", "shape"),
    [
        ("array<f32>", F32, (None,)),
        ("array<i32, 12>", I32, (12,)),
        ("array<array<u32, 4>, ROWS>", U32, (6, 4)),
        ("array<vec4<f32>>", F32, (None, 4)),
        ("array<vec2u, ROWS * 2 - 2,>", U32, (10, 2)),
        ("array<atomic<u32>, 256u>", U32, (256,)),
        ("atomic<i32>", I32, ()),
        ("Row", F32, (0x10,)),
        ("array<Row>", F32, (None, 16)),
    ],
)
def test_types_of_buffers(written: str, dtype: object, shape: tuple[int | None, ...]) -> None:
    found = shader(
        f"{MAIN}{OUT}@binding(3) @group(0) var<storage> x: {written};\n"
        "const ROWS = 2 + SIDE * 2;\nconst SIDE: u32 = 6u / 3u;\nalias Row = array<f32, 0x10>;\n"
    ).storage[1]

    assert (found.index, found.access, found.dtype, found.shape) == (3, "read", dtype, shape)


def test_comments_directives_and_bodies_are_passed_over() -> None:
    text = (
        "enable f16; // @group(1) @binding(9) var<storage> no: texture_2d<f32>;\n"
        "/* fn /* nested */ { */ diagnostic(off, derivative_uniformity);\n"
        f"{OUT}const_assert 1 < 2;\nvar<workgroup> tile: array<mat4x4f, 2>;\n"
        "override depth = 1.5;\nstruct Unused { @align(16) a: vec3f };\n"
        "fn f(a: ptr<function, array<f32, 2>>) -> f32 { if a[0] < 1 { return 2; } return 1; }\n"
        f"{MAIN}"
    )

    assert [s.name for s in shader(text).storage] == ["y"]


def test_the_uniform_gives_scalars() -> None:
    fields = "struct P { n: u32, a: f32, k: i32, }\n"
    found = shader(f"{fields}@group(0) @binding(7) var<uniform> p: P;{OUT}{MAIN}")

    assert found.uniform == 7
    assert [(p.name, p.dtype) for p in found.scalars] == [("n", U32), ("a", F32), ("k", I32)]


def test_a_uniform_of_one_scalar() -> None:
    found = shader(f"@group(0) @binding(7) var<uniform> n: u32;{OUT}{MAIN}")

    assert [(p.name, p.dtype) for p in found.scalars] == [("n", U32)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [("64", (64, 1, 1)), ("8, T", (8, 4, 1)), ("(T + 4) / 2, 1u, 2,", (4, 1, 2))],
)
def test_workgroup_sizes(size: str, expected: tuple[int, int, int]) -> None:
    text = f"{OUT}const T = 4;\n@compute @workgroup_size({size}) fn main() {{}}"

    assert shader(text).workgroup_size == expected


def test_an_entry_point_is_chosen_by_name() -> None:
    text = f"{OUT}{MAIN}@workgroup_size(32) @compute fn other() {{}}"

    assert shader(text, "other").workgroup_size == (32, 1, 1)
    with pytest.raises(SourceError, match="2 entry points: main, other"):
        shader(text)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{OUT}@group(0) @binding(1) var t: texture_2d<f32>;\n{MAIN}", 2, "'t' is no buffer"),
        (f"{OUT}@group(1) @binding(1) var<storage> x: array<f32>;\n{MAIN}", 2, "in group 1"),
        (f"{OUT}@group(0) @binding(0) var<storage> x: array<f32>;\n{MAIN}", 2, "binding 0 is y's"),
        (f"{OUT}@binding(1) var<storage> x: array<f32>;\n{MAIN}", 2, "has no @group"),
        (f"{OUT}@group(0) @binding(1) var<storage, write> x: array<f32>;\n{MAIN}", 2, "not write"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<vec3f>;\n{MAIN}", 2, "'vec3f' are not"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f16>;\n{MAIN}", 2, "'f16' are not"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<P>;\nstruct P {{ a: f32 }}\n{MAIN}", 2,
         "is a struct"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f32, N>;\noverride N = 4;\n{MAIN}", 2,
         "'N' is an override"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f32, N>;\nconst N = min(4, 5);\n{MAIN}",
         3, "';' was expected"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f32, N>;\nconst N = N;\n{MAIN}", 3,
         "'N' is no constant"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f32, 4 / 0>;\n{MAIN}", 2, "4 / 0"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f32, 2 - 4>;\n{MAIN}", 2, "-2 is no"),
        (f"{OUT}@group(0) @binding(1) var<storage> x: array<f32, 4.0>;\n{MAIN}", 2, "4.0 is not"),
        (f"{OUT}alias A = A;\n@group(0) @binding(1) var<storage> x: A;\n{MAIN}", 2, "'A' are not"),
        (f"{OUT}@group(0) @binding(1) var<uniform> p: P;\nstruct P {{\n  a: vec2f,\n}}\n{MAIN}", 4,
         "'vec2f' in a uniform"),
        (f"{OUT}@group(0) @binding(1) var<uniform> y: P;\nstruct P {{ y: f32 }}\n{MAIN}", 1,
         "'y' names two arguments"),
        (f"{OUT}@compute fn main() {{}}", 2, "no workgroup size"),
        (f"{OUT}@compute @workgroup_size(4, 4, 4, 4) fn main() {{}}", 2, "one to three sizes"),
        (OUT, 1, "no entry point"),
        (MAIN, 1, "writes no buffer"),
        (f"{OUT}fn f() {{ if (true) {{ }}\n{MAIN}", 2, "is not closed"),
        (f"{OUT}fn f() {{ (] }}\n{MAIN}", 2, r"'\]' does not close '\('"),
        (f"{OUT}/* {MAIN}", 2, "comment does not end"),
        (f"{OUT}let a = 1;\n{MAIN}", 2, "'let' starts no declaration"),
        (f"{OUT}const a = 1\n", 2, "no ';' ends"),
        (f"{OUT.replace(';', '')}{MAIN}", 1, "no ';' ends"),
        (f"const a = 1\n{OUT}{MAIN}", 1, "no ';' ends"),
        (f"{OUT}}}\n{MAIN}", 2, "'}' starts no declaration"),
        ("", 1, "no entry point"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_at_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        shader(text)
    span = caught.value.mistakes[0].span

    assert span is not None
    assert span.position[0] == line


def program() -> Program:
    found = shader(OUT + MAIN.replace("main", "fill"))
    return program_of(found, "k", {"y": (3, 5)}, (2, 1, 1))


def test_written_buffers_start_from_a_copy() -> None:
    assert program().body == (Copy("y before", "y"), Dispatch("k", (2, 1, 1)))


def test_the_entry_point_travels_with_the_program() -> None:
    again = from_json(program().to_json())

    assert again == program()
    assert again.kernels[0].entry == "fill"


def test_every_token_leads_to_its_own_place() -> None:
    code = program().kernels[0]
    origin = code.text.at(code.code.index("1.0"))
    assert origin is not None
    span = origin.nearest_span()

    assert span is not None
    assert span.text == "1.0"


@pytest.mark.parametrize(
    ("written", "shape", "words"),
    [
        ("array<f32>", (0,), "is empty"),
        ("array<vec4f>", (3, 2), "4 at a time"),
        ("array<f32, 8>", (9,), "its type has 8"),
    ],
)
def test_shapes_that_do_not_fit(written: str, shape: tuple[int, ...], words: str) -> None:
    s = shader(f"{OUT}@group(0) @binding(1) var<storage> x: {written};{MAIN}").storage[1]

    with pytest.raises(CallError, match=words):
        fitting(s, shape)
