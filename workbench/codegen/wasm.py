"""From scheduled loops to WebAssembly: the kernels of the cpu, for wasm32 with simd128.

`source` gives LLVM's text, `emit` what a device runs: a module for each kernel. LLVM itself is
called in `runtime/llvm.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

from workbench.codegen.llvm import Processor, translate
from workbench.codegen.wasm_functions import FUNCTIONS
from workbench.codegen.wasm_halves import FUNCTIONS as CASTS, halves, named
from workbench.codegen.wasm_link import linked
from workbench.ir.loops import Loops
from workbench.program import Program
from workbench.runtime.llvm import compiled

WASM = Processor("wasm", FUNCTIONS | CASTS, '"no-jump-tables"="true" ')
"""Without tables of results, which LLVM would keep in memory: modules bring no constants along."""


def source(loops: Loops) -> Program:
    """The loops as LLVM's text for wasm32; no device runs it as it is.

    Raises `CodegenError` where private arrays do not fit on a stack.
    """
    return sources(loops)({})


def sources(loops: Loops) -> Callable[[Mapping[str, int]], Program]:
    """What `source` gives, for any values of the open dims: with one text."""
    at = translate(halves(loops), WASM)
    return lambda values: named(at(values))


def emit(loops: Loops) -> Program:
    """The program that runs the loops on an engine of WebAssembly.

    Raises `CodegenError` where private arrays do not fit on a stack or the code needs what
    WebAssembly does not have, `DeviceError` where llvmlite is missing.
    """
    return from_source(source(loops))


def from_source(program: Program) -> Program:
    """The program that `source` gave, compiled and linked. Raises as `emit` does."""
    kernels = tuple(replace(k, code=_module(k.name, k.code)) for k in program.kernels)
    return replace(program, target="wasm", kernels=kernels)


@lru_cache(maxsize=256)
def _module(name: str, code: str) -> str:
    """The module of a kernel, in base64."""
    return base64.b64encode(linked(compiled(code, "wasm32"), name)).decode()
