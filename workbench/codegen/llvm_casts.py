"""Casts as LLVM instructions. Imports no LLVM.

To and from f16 they go by way of f32, for which every processor has instructions.
"""

from __future__ import annotations

from workbench.base.dtypes import BOOL, F16, F32, F64, DType
from workbench.base.source import Origin
from workbench.codegen.llvm_lines import Lines, type_of


def converted(lines: Lines, operand: str, source: DType, target: DType, origin: Origin) -> str:
    """Write what converts an operand; gives the new one, or the same where the bits stay."""
    if F16 in {source, target} and not {source, target} & {F32, BOOL}:
        if source is F64:
            operand = _odd(lines, operand, origin)
        operand = _step(lines, operand, source, F32, origin)
        source = F32
    return _step(lines, operand, source, target, origin)


def _odd(lines: Lines, operand: str, origin: Origin) -> str:
    """An f64 whose bits that no f32 has are gone; the last one left says whether there were any.

    So what is rounded twice, to f32 and to f16, is rounded as if once.
    """
    rest = 2**29 - 1
    bits = lines.value("bits", f"bitcast double {operand} to i64", origin)
    cut = lines.value("cut", f"and i64 {bits}, {rest}", origin)
    some = lines.value("some", f"icmp ne i64 {cut}, 0", origin)
    sticky = lines.value("sticky", f"select i1 {some}, i64 {rest + 1}, i64 0", origin)
    kept = lines.value("kept", f"and i64 {bits}, {-rest - 1}", origin)
    odd = lines.value("odd", f"or i64 {kept}, {sticky}", origin)
    return lines.value("odd", f"bitcast i64 {odd} to double", origin)


def _step(lines: Lines, operand: str, source: DType, target: DType, origin: Origin) -> str:
    text = _conversion(operand, source, target)
    return operand if text is None else lines.value(target.name, text, origin)


def _conversion(  # noqa: C901  (a case per pair of kinds)
    operand: str, source: DType, target: DType
) -> str | None:
    """The instruction that converts, or None where the bits stay as they are."""
    s, t = type_of(source), type_of(target)
    match source.kind, target.kind:
        case "f", "f" if source.bits == target.bits:
            return None
        case "f", "f":
            return f"{'fpext' if source.bits < target.bits else 'fptrunc'} {s} {operand} to {t}"
        case "f", "b":
            return f"fcmp une {s} {operand}, 0.0"
        case "f", kind:
            suffix = {"half": "f16", "float": "f32", "double": "f64"}[s]
            name = "fptosi" if kind == "i" else "fptoui"
            return f"call {t} @llvm.{name}.sat.{t}.{suffix}({s} {operand})"
        case kind, "f":
            return f"{'sitofp' if kind == 'i' else 'uitofp'} {s} {operand} to {t}"
        case "b", "b":
            return None
        case _, "b":
            return f"icmp ne {s} {operand}, 0"
        case kind, _:
            if s == t:
                return None
            if kind != "b" and source.bits > target.bits:
                return f"trunc {s} {operand} to {t}"
            return f"{'sext' if kind == 'i' else 'zext'} {s} {operand} to {t}"
