"""LLVM IR written as formulas: values with operators, which write the instructions as they go."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

_MASK = 2**64 - 1


def double(value: float) -> str:
    """A constant as LLVM reads it, exactly."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


@dataclass(slots=True, eq=False)
class Function:
    """A function whose body is written by a formula; its parameters are `%a`, `%b`."""

    name: str
    types: tuple[str, ...]
    lines: list[str] = field(default_factory=list[str])
    count: int = 0

    def text(self, meaning: Callable[..., Value]) -> str:
        """The function's text: it returns what `meaning` makes of the parameters."""
        parameters = [Value(self, f"%{n}", t) for n, t in zip("ab", self.types, strict=False)]
        result = meaning(*parameters)
        given = ", ".join(f"{p.type} {p.operand}" for p in parameters)
        head = f"define internal {result.type} @{self.name}({given})"
        inline = "noinline" if any(line.endswith(":") for line in self.lines) else "alwaysinline"
        end = [f"  ret {result.type} {result.operand}", "}"]
        return "\n".join([f'{head} {inline} "no-jump-tables"="true" {{', *self.lines, *end])

    def value(self, kind: str, text: str) -> Value:
        """An instruction, and the register for what it gives."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return Value(self, f"%v{self.count}", kind)

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")

    def jump(self, name: str) -> None:
        """Go to a block."""
        self.lines.append(f"  br label %{name}")

    def branch(self, cond: Value, then: str, other: str) -> None:
        """Go to one of two blocks."""
        self.lines.append(f"  br i1 {cond.operand}, label %{then}, label %{other}")

    def joined(self, a: Value, a_block: str, b: Value, b_block: str) -> Value:
        """The value of the block that was left; stands at the start of a block."""
        return self.value(
            a.type, f"phi {a.type} [ {a.operand}, %{a_block} ], [ {b.operand}, %{b_block} ]"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A double, an i64 or an i1."""

    function: Function
    operand: str
    type: str

    def _to(self, other: Value | float) -> str:
        return other.operand if isinstance(other, Value) else constant(self, other).operand

    def _two(self, op: str, other: Value | float) -> Value:
        prefix = "f" if self.type == "double" else ""
        text = f"{prefix}{op} {self.type} {self.operand}, {self._to(other)}"
        return self.function.value(self.type, text)

    def _bits(self, op: str, other: Value | float) -> Value:
        return self.function.value(self.type, f"{op} {self.type} {self.operand}, {self._to(other)}")

    def _is(self, kind: str, other: Value | float) -> Value:
        text = f"{kind} {self.type} {self.operand}, {self._to(other)}"
        return self.function.value("i1", text)

    def _call(self, name: str, *others: Value | float) -> Value:
        given = ", ".join(f"double {x}" for x in (self.operand, *map(self._to, others)))
        return self.function.value("double", f"call double @llvm.{name}.f64({given})")

    def __add__(self, other: Value | float) -> Value:
        return self._two("add", other)

    def __sub__(self, other: Value | float) -> Value:
        return self._two("sub", other)

    def __rsub__(self, other: float) -> Value:
        return constant(self, other) - self

    def __mul__(self, other: Value | float) -> Value:
        return self._two("mul", other)

    def __truediv__(self, other: Value) -> Value:
        return self._two("div", other)

    def __neg__(self) -> Value:
        return self.function.value("double", f"fneg double {self.operand}")

    def __and__(self, other: Value | int) -> Value:
        return self._bits("and", other)

    def __or__(self, other: Value | int) -> Value:
        return self._bits("or", other)

    def __xor__(self, other: Value) -> Value:
        return self._bits("xor", other)

    def __invert__(self) -> Value:
        return self.function.value("i1", f"xor i1 {self.operand}, true")

    def __lshift__(self, by: Value | int) -> Value:
        return self._bits("shl", by)

    def shifted_right(self, by: int) -> Value:
        """Shifted right; its sign comes in."""
        return self._bits("ashr", by)

    def down(self, by: Value | int) -> Value:
        """Shifted right; zeros come in."""
        return self._bits("lshr", by)

    def bits(self) -> Value:
        """The bits of a double."""
        return self.function.value("i64", f"bitcast double {self.operand} to i64")

    def number(self) -> Value:
        """The double that has these bits."""
        return self.function.value("double", f"bitcast i64 {self.operand} to double")

    def double(self) -> Value:
        """The nearest double to a signed integer."""
        return self.function.value("double", f"sitofp i64 {self.operand} to double")

    def unsigned_double(self) -> Value:
        """The nearest double to an unsigned integer."""
        return self.function.value("double", f"uitofp i64 {self.operand} to double")

    def integer(self) -> Value:
        """The integer of a whole double; 0 for NaN."""
        return self.function.value(
            "i64", f"call i64 @llvm.fptosi.sat.i64.f64(double {self.operand})"
        )

    def size(self) -> Value:
        """Without its sign."""
        return self._call("fabs")

    def rounded(self) -> Value:
        """The nearest whole number."""
        return self._call("roundeven")

    def floor(self) -> Value:
        """The whole number below."""
        return self._call("floor")

    def least(self, other: float) -> Value:
        """The lesser of two; NaN stays."""
        return self._call("minimum", other)

    def greatest(self, other: float) -> Value:
        """The greater of two; NaN stays."""
        return self._call("maximum", other)

    def signed_like(self, other: Value) -> Value:
        """With the sign of another."""
        return self._call("copysign", other)

    def below(self, other: float) -> Value:
        """Whether it is less; False for NaN, as the others here but `unequal`."""
        return self._is("fcmp olt", other)

    def at_least(self, other: float) -> Value:
        """Whether it is not less."""
        return self._is("fcmp oge", other)

    def equal(self, other: Value | float) -> Value:
        """Whether two doubles are equal."""
        return self._is("fcmp oeq", other)

    def unequal(self, other: Value | float) -> Value:
        """Whether two doubles differ; True for NaN."""
        return self._is("fcmp une", other)

    def is_nan(self) -> Value:
        """Whether it is not a number."""
        return self.unequal(self)

    def same(self, other: int) -> Value:
        """Whether two integers are equal."""
        return self._is("icmp eq", other)

    def different(self, other: int) -> Value:
        """Whether two integers differ."""
        return self._is("icmp ne", other)


def constant(like: Value, value: float) -> Value:
    """A number as a value of the type of another."""
    if like.type == "double":
        return Value(like.function, double(float(value)), "double")
    signed = int(value) & _MASK
    return Value(like.function, str(signed - 2**64 if signed >> 63 else signed), like.type)


def either(cond: Value, yes: Value, no: Value) -> Value:
    """One of two values."""
    text = f"select i1 {cond.operand}, {yes.type} {yes.operand}, {no.type} {no.operand}"
    return cond.function.value(yes.type, text)
