"""Hand-written shaders in a real page: they compute and agree; Tint's words stand at their line."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.test_wgsl_kernels import COUNT, MATMUL, MEANT, SIZES, A, B

pytestmark = pytest.mark.usefixtures("joined")


def test_a_shader_agrees_with_a_kernel_of_the_language() -> None:
    k = wb.from_wgsl(MATMUL)
    agreed = k.check_against(wb.kernel(MEANT), A, B, *SIZES, workgroups=(3, 3), on="browser")

    assert agreed, agreed.words


def test_several_outputs_and_atomics() -> None:
    x = np.arange(10, dtype=np.uint32)
    doubled, counts = wb.from_wgsl(COUNT)(x, outputs={"doubled": 10}, workgroups=1, on="browser")

    assert counts.numpy().tolist() == [3, 3, 2, 2]
    assert doubled.numpy().tolist() == (2 * x).tolist()


def test_the_browser_refuses_at_the_line_of_the_text() -> None:
    k = wb.from_wgsl(MATMUL.replace("A[id.y * sizes.k", "A[id.y * size.k"))
    with pytest.raises(wb.DeviceError, match="unresolved value 'size'") as caught:
        k(A, B, *SIZES, outputs={"C": (17, 19)}, workgroups=(3, 3), on="browser")
    span = caught.value.mistakes[0].span

    assert span is not None
    assert (span.position[0], span.text) == (11, "size")
