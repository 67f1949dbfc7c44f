"""What LLVM does, as functions from text to text and to code, for each processor it works for.

The only file that imports llvmlite. Knows nothing of programs or devices.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal

from workbench.base.errors import DeviceError

REMEDY = "pip install llvmlite"
"""The command that installs what is missing here."""

Processor = Literal["host", "wasm32"]
"""What code is made for: the processor that Python runs on, or WebAssembly's."""

_WASM_FEATURES = (
    "simd128", "bulk-memory", "nontrapping-fptoint", "sign-ext", "mutable-globals", "atomics"
)  # fmt: skip
"""What engines have had since 2021; without bulk memory, LLVM would call memset and memcpy."""


@cache
def llvm() -> Any:
    """LLVM, ready for every processor. Raises `DeviceError` where llvmlite is missing."""
    try:
        import llvmlite.binding as llvm  # noqa: PLC0415  (only where something is compiled)
    except ImportError as error:
        raise DeviceError(f"llvmlite, which compiles, is missing: {error}", hint=REMEDY) from error
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


def version() -> str:
    """LLVM's version."""
    return ".".join(str(n) for n in llvm().llvm_version_info)


def target_machine(processor: Processor) -> Any:
    """Code in the form that listings and linkers read well."""
    if processor == "wasm32":
        features = ",".join(f"+{f}" for f in _WASM_FEATURES)
        target = llvm().Target.from_triple("wasm32-unknown-unknown")
        return target.create_target_machine(cpu="generic", features=features, opt=2)
    return (
        llvm()
        .Target.from_default_triple()
        .create_target_machine(
            cpu=llvm().get_host_cpu_name(),
            features=llvm().get_host_cpu_features().flatten(),
            opt=2,
            reloc="pic",
            codemodel="small",
            jit=True,
        )
    )


def _parse(code: str, processor: Processor) -> Any:
    try:
        module = llvm().parse_assembly(code)
        if processor != "host":
            machine = target_machine(processor)
            module.triple, module.data_layout = machine.triple, str(machine.target_data)
        module.verify()
    except RuntimeError as error:
        raise DeviceError(f"LLVM refused the code of a kernel: {error}") from error
    return module


def parsed(code: str) -> str:
    """A module as LLVM prints it."""
    return str(_parse(code, "host"))


@lru_cache(maxsize=256)
def optimised(code: str, processor: Processor = "host") -> str:
    """A module after LLVM's passes at level 2, as LLVM prints it.

    LLVM unrolls only the loops that the schedule says: code stays as long as it was written.
    Raises `DeviceError` where LLVM refuses the code.
    """
    module, machine = _parse(code, processor), target_machine(processor)
    options = llvm().create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = False
    options.loop_interleaving = False
    passes = llvm().create_pass_builder(machine, options).getModulePassManager()
    passes.run(module, llvm().create_pass_builder(machine, options))
    return str(module)


@cache
def _show_unknown_lines() -> None:
    """Let listings say where an instruction has no origin; without it, they leave that out."""
    llvm().set_option("workbench", "--use-unknown-locations=Enable")


@lru_cache(maxsize=256)
def assembled(listing: str, processor: Processor = "host") -> str:
    """The assembly of an optimised module, with its debug locations."""
    _show_unknown_lines()
    return target_machine(processor).emit_assembly(_parse(listing, processor))


def compiled(code: str, processor: Processor = "host") -> bytes:
    """The object file of a module, after LLVM's passes. Raises `DeviceError`."""
    listing = optimised(code, processor)
    return target_machine(processor).emit_object(_parse(listing, processor))
