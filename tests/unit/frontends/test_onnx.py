"""Models of ONNX: read, refused in one report, called, one program with shared memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import workbench as wb
from workbench.models.memory import Life, plan
from workbench.ops.tensor import UnsupportedError


def model(nodes: list[Any], inputs: dict[str, Any], outputs: int = 1, **weights: Any) -> Any:
    """A model of opset 21 with float inputs; its outputs are those of the last node."""
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    made = [helper.make_tensor_value_info(f"y{n}", TensorProto.FLOAT, None) for n in range(outputs)]
    for m in made:
        m.type.tensor_type.shape.SetInParent()
        m.type.tensor_type.shape.dim.add()
    values = [numpy_helper.from_array(np.asarray(v), n) for n, v in weights.items()]
    graph = helper.make_graph(nodes, "net", given, made, values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


@pytest.fixture(name="chain")
def _chain() -> Any:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Softmax", ["b"], ["y0"]),
    ]
    return model(nodes, {"x": ["batch", 3]}, w=np.arange(12, dtype=np.float32).reshape(3, 4) / 9)


def test_a_model_runs_for_every_batch_and_sends_its_weights_once(chain: Any) -> None:
    m = wb.from_onnx(chain.SerializeToString())
    w = np.arange(12, dtype=np.float32).reshape(3, 4) / 9
    for batch in (1, 5):
        x = np.linspace(-1, 1, 3 * batch, dtype=np.float32).reshape(batch, 3)
        e = np.exp(np.maximum(x @ w, 0))

        np.testing.assert_allclose(m(x, on="cpu"), e / e.sum(1, keepdims=True), rtol=1e-5)
    assert [a.transfers[0].source for a in m._weights.values()] == ["host"]


def test_a_compilation_has_stages_that_lead_back_to_the_nodes(chain: Any) -> None:
    c = wb.from_onnx(chain).compile(on="cpu")

    assert list(c.stages) == ["source", "graph", "kernels", "memory", "llvm"]
    assert "b = Relu(a)" in c.stages["source"].text
    marked = c.stages["graph"].marked
    origin = marked.at(marked.value.index("max("))
    assert origin is not None
    span = origin.nearest_span()
    assert span is not None
    assert span.text == "b = Relu(a)"


def test_every_unknown_operator_is_in_one_report() -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["a"], name="first"),
             helper.make_node("Unique", ["a"], ["y0"], name="second")]  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"(?s)NonZero-21 'first'.*Unique-21 'second'"):
        wb.from_onnx(model(nodes, {"x": [3]}))


def test_what_is_no_model_is_refused(chain: Any, tmp_path: Path) -> None:
    content = chain.SerializeToString()
    with pytest.raises(wb.WorkbenchError):
        wb.from_onnx(content[: len(content) // 2])
    with pytest.raises(wb.WorkbenchError, match="cannot be read"):
        wb.from_onnx(tmp_path / "nothing.onnx")
    chain.graph.node[0].input[1] = "lost"
    with pytest.raises(wb.WorkbenchError, match="not a valid ONNX model"):
        wb.from_onnx(chain)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((2, 3)), "x is f64, the model says f32"),
        (np.zeros((2, 4), np.float32), r"x.shape\[1\] is 4, the model says 3"),
        (np.zeros(3, np.float32), r"x has shape \[3\]"),
    ],
)
def test_what_does_not_fit_a_call_is_refused(chain: Any, x: Any, words: str) -> None:
    with pytest.raises(wb.CallError, match=words):
        wb.from_onnx(chain)(x, on="cpu")


def test_an_index_outside_is_reported() -> None:
    nodes = [helper.make_node("Gather", ["x", "at"], ["y0"])]
    m = wb.from_onnx(model(nodes, {"x": [3]}, at=np.array([1, 2**32 + 1])))
    with pytest.raises(wb.WorkbenchError, match="reads outside"):
        m(np.ones(3, np.float32), on="cpu").numpy()


def test_values_that_are_never_needed_at_once_share_a_buffer() -> None:
    lives = [Life("a", 8, 0, 1), Life("b", 8, 1, 2), Life("c", 4, 2, 3)]
    memory = plan(lives)

    assert memory.places["a"] == memory.places["c"] != memory.places["b"]
    assert (memory.peak, memory.least) == (16, 16)
