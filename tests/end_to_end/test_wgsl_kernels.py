"""Hand-written shaders as kernels: called, compared with a kernel of the language, refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import workbench as wb
from workbench.magics import ShownError
from workbench.runtime.device import open_device

pytestmark = pytest.mark.skipif(
    not open_device("native").describe().available, reason="no native device here"
)

MATMUL = """struct Sizes { m: u32, k: u32, n: u32 }
@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read> B: array<f32>;
@group(0) @binding(2) var<storage, read_write> C: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(8, 8)
fn product(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= sizes.n || id.y >= sizes.m) { return; }
    var total = 0.0;
    for (var k = 0u; k < sizes.k; k++) { total += A[id.y * sizes.k + k] * B[k * sizes.n + id.x]; }
    C[id.y * sizes.n + id.x] = total;
}
"""
COUNT = """@group(0) @binding(1) var<storage> x: array<u32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>, 4>;
@group(0) @binding(2) var<storage, read_write> doubled: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= arrayLength(&x)) { return; }
    atomicAdd(&counts[x[id.x] % 4u], 1u);
    doubled[id.x] = 2u * x[id.x];
}
"""
ADD = """@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<uniform> step: f32;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < arrayLength(&x)) { x[id.x] += step; }
}
"""
MEANT = """def meant(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
RNG = np.random.default_rng(0)
A = RNG.uniform(-1, 1, (17, 5)).astype(np.float32)
B = RNG.uniform(-1, 1, (5, 19)).astype(np.float32)
SIZES = (17, 5, 19)


def test_a_shader_is_called_like_a_kernel() -> None:
    k = wb.from_wgsl(MATMUL)
    C = k(A, B, *SIZES, outputs={"C": (17, 19)}, workgroups=(3, 3), on="native")

    np.testing.assert_allclose(C.numpy(), A.astype(float) @ B, atol=1e-5)


def test_several_outputs_start_as_zeros_each_time() -> None:
    k = wb.from_wgsl(COUNT)
    x = np.arange(10, dtype=np.uint32)
    for _ in range(3):
        doubled, counts = k(x, outputs={"doubled": 10}, workgroups=1, on="native")

        assert counts.numpy().tolist() == [3, 3, 2, 2]
        assert doubled.numpy().tolist() == (2 * x).tolist()


def test_an_array_that_is_written_is_not_changed() -> None:
    k = wb.from_wgsl(ADD)
    x = wb.array(np.arange(6, dtype=np.float32))
    once = k(1.5, x=x, workgroups=2, on="native")
    twice = k(1.5, x=once, workgroups=2, on="native")

    assert twice.numpy().tolist() == [3, 4, 5, 6, 7, 8]
    assert x.numpy().tolist() == [0, 1, 2, 3, 4, 5]


def test_agreement_with_a_kernel_of_the_language() -> None:
    k = wb.from_wgsl(MATMUL)
    agreed = k.check_against(wb.kernel(MEANT), A, B, *SIZES, workgroups=(3, 3), on="native")

    assert agreed, agreed.words


@pytest.mark.parametrize("workgroups", [(3, 2), (2, 3)])
def test_too_few_workgroups_do_not_agree(workgroups: tuple[int, int]) -> None:
    k = wb.from_wgsl(MATMUL)
    agreed = k.check_against(wb.kernel(MEANT), A, B, *SIZES, workgroups=workgroups, on="native")

    assert not agreed
    assert "differs in" in agreed.words


def test_arguments_go_to_the_other_kernel_in_order_where_names_differ() -> None:
    other = wb.kernel("def add(v: f32[N], d: f32) -> f32[N]:\n    w[i] = v[i] + d\n    return w\n")
    text = ADD.replace("x[id.x] += step", "x[id.x] = v[id.x] + step").replace(
        "@compute", "@group(0) @binding(2) var<storage> v: array<f32>;\n@compute"
    )
    x = np.arange(6, dtype=np.float32)

    assert wb.from_wgsl(text).check_against(other, x, 0.5, workgroups=2, on="native")


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("total = 0.0", "total = 0u", (11, "total"), "cannot convert"),
        ("A[id.y * sizes.k", "A[id.y * size.k", (11, "size"), "no definition in scope"),
        ("{ return; }", "{ return }", (9, "}"), "expected"),
        ("total;\n}", "f32(id);\n}", (12, "id"), "cast"),
    ],
)
def test_the_driver_refuses_at_the_line_of_the_text(
    old: str, new: str, place: tuple[int, str], words: str
) -> None:
    k = wb.from_wgsl(MATMUL.replace(old, new))
    with pytest.raises(wb.DeviceError, match="the driver refused 'product'") as caught:
        k(A, B, *SIZES, outputs={"C": (17, 19)}, workgroups=(3, 3), on="native")
    mistake = caught.value.mistakes[0]

    assert mistake.span is not None
    assert (mistake.span.position[0], mistake.span.text) == place
    assert words in mistake.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"outputs": {"C": (17, 19)}, "on": "cpu"}, "runs llvm, this is wgsl"),
        ({"outputs": {}}, "nothing says the shape of C"),
        ({"outputs": {"C": [17, 19]}}, "is given a list"),
        ({"outputs": {"A": (17, 19)}}, "has no 'A' to be given there"),
        ({"outputs": {"C": np.zeros((17, 19))}}, "C is given f64, its type says f32"),
        ({"outputs": {"C": (17, 19)}, "workgroups": (0, 1)}, "whole numbers of at least 1"),
        ({"outputs": {"C": (17, 19)}, "m": 1}, "'m' is given twice"),
    ],
)
def test_calls_that_do_not_fit(arguments: dict[str, object], words: str) -> None:
    k = wb.from_wgsl(MATMUL)

    with pytest.raises(wb.WorkbenchError, match=words):
        k(A, B, *SIZES, **{"workgroups": (3, 3), "on": "native", **arguments})


@pytest.mark.parametrize("value", [-1, 1.5, 2**32, True])
def test_scalars_outside_their_type(value: object) -> None:
    k = wb.from_wgsl(MATMUL)

    with pytest.raises(wb.CallError, match="m is"):
        k(A, B, value, 5, 19, outputs={"C": (17, 19)}, workgroups=(3, 3), on="native")


def test_an_option_of_the_call_is_no_name_of_a_buffer() -> None:
    with pytest.raises(wb.SourceError, match="'on' is an option of the call"):
        wb.from_wgsl(ADD.replace("step", "on"))


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    found = InteractiveShell()
    found.run_line_magic("load_ext", "workbench")
    found.push({"A": A, "B": B, "m": 17, "k": 5, "n": 19, "meant": wb.kernel(MEANT)})
    yield found
    found.reset()


def shown(shell: InteractiveShell, line: str, cell: str) -> str:
    with capture_output() as captured:
        shell.run_cell_magic("wgpu_kernel", line, cell)
    return captured.stdout + "".join(o.data.get("text/plain", "") for o in captured.outputs)


def test_a_cell_of_wgsl_runs_and_is_compared(shell: InteractiveShell) -> None:
    text = shown(
        shell, "tiles --lang wgsl --on native --workgroups 3,3 --like meant --time", MATMUL
    )

    assert "✓ native  meant: agrees" in text
    assert "C: f32" in text
    assert "median of 7 runs" in text
    np.testing.assert_allclose(shell.user_ns["tiles"].last.outputs[0].numpy(), A @ B, atol=1e-5)


def test_a_cell_that_disagrees_shows_a_cross(shell: InteractiveShell) -> None:
    text = shown(shell, "--lang wgsl --on native --workgroups 3,2 --like meant", MATMUL)

    assert "✗ native  meant: differs in" in text


def test_a_cell_says_why_it_did_not_run(shell: InteractiveShell) -> None:
    assert "not run: --workgroups" in shown(shell, "--lang wgsl --on native", MATMUL)
    text = shown(shell, "--lang wgsl --on native --workgroups 3,3", MATMUL)
    assert "not run: no value for C (an array, or --output C=64)" in text
    assert "C: f32" in shown(
        shell, "--lang wgsl --on native --workgroups 3,3 --output C=17,19", MATMUL
    )


def test_a_cell_shows_what_the_driver_refused(shell: InteractiveShell) -> None:
    with capture_output() as captured, pytest.raises(ShownError, match="no definition in scope"):
        shell.run_cell_magic(
            "wgpu_kernel", "--lang wgsl --on native", MATMUL.replace("= total;", "= totl;")
        )
    text = captured.stdout + "".join(o.data.get("text/plain", "") for o in captured.outputs)
    lines = text.splitlines()
    caret = next(n for n, line in enumerate(lines) if "^^^^" in line)

    assert lines[caret - 1].lstrip().startswith("13 |")
    assert lines[caret].index("^") == lines[caret - 1].index("totl")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--workgroups 3,3", "--workgroups goes with --lang wgsl"),
        ("--lang wgsl --schedule s", "--schedule goes with --lang index"),
        ("--lang wgsl --workgroups 3x3", "write whole numbers"),
        ("--lang wgsl --output C", "write NAME=SHAPE"),
        ("--lang wgsl --like nothing", "no kernel of the language"),
    ],
)
def test_options_that_do_not_go_together(shell: InteractiveShell, line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        shell.run_cell_magic("wgpu_kernel", line, MATMUL)
