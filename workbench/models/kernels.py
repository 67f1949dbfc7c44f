"""The kernels of a model: the text of each formula, compiled for a target, equal ones once."""

from __future__ import annotations

import re
from functools import lru_cache

from workbench.base.device_class import TARGETS, DeviceClass, Target
from workbench.base.dtypes import I32, I64, DType
from workbench.base.errors import CodegenError, Mistake, WorkbenchError
from workbench.base.limits import Limits
from workbench.base.source import Source
from workbench.ir.model import Node
from workbench.lang import parse
from workbench.ops.elementwise import NAN
from workbench.ops.tensor import Formula, UnsupportedError, is_wide
from workbench.pipeline import Compilation, compile_graph

_I64 = re.compile(r"\bi64\b")


def held_as(dtype: DType, target: Target) -> DType:
    """What a target holds a dtype as: an i64 that fits 32 bits is an i32 in WGSL."""
    return I32 if dtype is I64 and target == "wgsl" else dtype


def text_for(formula: Formula, target: Target) -> str:
    """The text of a formula for a target. Raises `UnsupportedError` where it cannot hold it."""
    if target == "wgsl" and formula.name == NAN:
        raise UnsupportedError("WGSL does not promise to tell NaN", hint="on='cpu'")
    if target != "wgsl" or not _I64.search(formula.text):
        return formula.text
    wide = [x for x in formula.inputs if is_wide(x)]
    if wide:
        raise UnsupportedError("its 64-bit integers are not proved to fit 32 bits")
    return _I64.sub("i32", formula.text)


@lru_cache(maxsize=4096)
def compiled(text: str, on: DeviceClass, limits: Limits) -> Compilation:
    """The compilation of a text whose every dim is a number."""
    source = Source(text, "formula")
    graph = parse(source).kernels[-1]
    return compile_graph(graph, source, {}, on=on, limits=limits)


def kernel_of(formula: Formula, node: Node, on: DeviceClass, limits: Limits) -> Compilation:
    """The compilation of a formula. Raises `UnsupportedError` with the words of its node."""
    try:
        return compiled(text_for(formula, TARGETS[on]), on, limits)
    except (CodegenError, UnsupportedError) as error:
        span = node.origin.nearest_span()
        said = [Mistake(f"{node.words}: {m.message}", span, m.hint) for m in error.mistakes]
        raise UnsupportedError(*said) from error
    except WorkbenchError as error:
        words = f"{node.words}: its formula is refused: {error}\n{formula.text}"
        raise AssertionError(words) from error
