"""ONNX's own node tests for the backend: which are core, and how one ends.

`python -m tests.models.suite cpu` runs all core cases on a device and prints the counts.
onnxruntime, torch and the reference evaluator cannot be imported meanwhile.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

FORBIDDEN = ("onnxruntime", "torch", "onnx.reference")
CORE = {1, 2, 3, 6, 7, 9}
"""f32, u8, i8, i32, i64 and bool by ONNX's numbers."""
OUTSIDE = {
    "If", "Loop", "Scan", "SequenceMap", "NonZero", "Unique", "Compress", "NonMaxSuppression",
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
    "Multinomial", "ImageDecoder", "TfIdfVectorizer", "LabelEncoder", "StringNormalizer",
    "StringConcat", "StringSplit", "RegexFullMatch", "Gradient", "Momentum", "Adam", "Adagrad",
}  # fmt: skip
"""Control flow, shapes that a run decides, chance, strings, training."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended: pass, wrong, refused (by name) or error; and why not a pass."""

    name: str
    status: str
    why: str = ""
    kernels: int = 0


class Block:
    """Keeps other runtimes from being imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        del path, target
        if any(name == f or name.startswith(f + ".") for f in FORBIDDEN):
            raise ImportError(f"{name} may not be used here")


def cases() -> list[Any]:
    """Every core node case, in the order of their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        found = [c for c in collect_testcases(None) if _core(c.model)]
    return sorted(found, key=lambda c: c.name)


def _core(model: Any) -> bool:
    nodes = list(_nodes(model.graph))
    values = [*model.graph.input, *model.graph.output]
    kinds = {v.type.WhichOneof("value") for v in values}
    dtypes = {v.type.tensor_type.elem_type for v in values}
    dtypes |= {t.data_type for t in model.graph.initializer}
    dtypes |= {a.i for n in nodes if n.op_type == "Cast" for a in n.attribute if a.name == "to"}
    dtypes |= {a.t.data_type for n in nodes for a in n.attribute if a.type == 4}
    words = {n.op_type for n in nodes} | {n.op_type for f in model.functions for n in f.node}
    learns = any(n.op_type == "Dropout" and len(n.input) > 2 for n in nodes)
    domains = {n.domain for n in nodes}
    apart = "ai.onnx.ml" in domains or any("training" in d for d in domains) or learns
    lists = any("Sequence" in w or "Optional" in w for w in words - {"ReverseSequence"})
    return (
        kinds == {"tensor_type"}
        and dtypes <= CORE | {0}
        and not (words & OUTSIDE or apart or lists)
    )


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for a in node.attribute:
            for inner in [a.g] if a.type == 5 else a.graphs:
                yield from _nodes(inner)


def outcome(case: Any, device: str) -> Outcome:
    """Run a case and compare as ONNX does."""
    from workbench.onnx_backend import prepare
    from workbench.ops.tensor import UnsupportedError

    ((inputs, expected),) = case.data_sets
    try:
        rep = prepare(case.model, device)
        found = rep.run([np.asarray(x) for x in inputs])
    except UnsupportedError as error:
        return Outcome(case.name, "refused", str(error).splitlines()[0])
    except Exception as error:  # noqa: BLE001  (a crash is an outcome, and never a pass)
        return Outcome(case.name, "error", f"{type(error).__name__}: {str(error)[:300]}")
    c = rep.model.last
    assert c is not None
    try:
        for a, b in zip(found, expected, strict=True):
            want = np.asarray(b)
            assert (a.shape, a.dtype) == (want.shape, want.dtype), f"{a.dtype}{a.shape}"
            np.testing.assert_allclose(a, want, rtol=case.rtol, atol=case.atol)
    except (AssertionError, ValueError) as error:
        return Outcome(case.name, "wrong", str(error)[:300])
    return Outcome(case.name, "pass", kernels=len(c.program.kernels))


def main(device: str) -> int:
    """Run all core cases on a device."""
    chosen = cases()  # ONNX's own loader imports the reference evaluator
    for name in [n for n in sys.modules if n.startswith(FORBIDDEN)]:
        del sys.modules[name]
    sys.meta_path.insert(0, Block())
    ended = [outcome(case, device) for case in chosen]
    counts = Counter(o.status for o in ended)
    alone = sum(o.status == "pass" and not o.kernels for o in ended)
    for o in ended:
        if o.status in {"wrong", "error"}:
            print(o.status, o.name, o.why)
    print(f"{device}: {dict(counts)} of {len(ended)}; {alone} passes without a kernel")
    return counts["wrong"] + counts["error"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) > 5)
