"""Recurrent layers: RNN, GRU, LSTM, in one or both directions, a time loop in the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.ops.formula import compute, literal
from workbench.ops.movement import concat, sliced, transpose
from workbench.ops.named import operator
from workbench.ops.tensor import Tensor, UnsupportedError, view

_ACTIVATIONS = {
    "relu": "max({x}, 0)",
    "tanh": "tanh({x})",
    "sigmoid": "1 / (1 + exp(-({x})))",
    "affine": "{a} * ({x}) + {b}",
    "leakyrelu": "({x} if {x} >= 0 else {a} * ({x}))",
    "thresholdedrelu": "({x} if {x} >= {a} else 0)",
    "scaledtanh": "{a} * tanh({b} * ({x}))",
    "hardsigmoid": "max(0.0, min(1.0, {a} * ({x}) + {b}))",
    "elu": "({x} if {x} >= 0 else {a} * expm1({x}))",
    "softsign": "({x}) / (1 + abs({x}))",
    "softplus": "log1p(exp({x}))",
}
_DEFAULTS = {"leakyrelu": (0.01, 0.0), "hardsigmoid": (0.2, 0.5), "affine": (1.0, 0.0)}


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What the three kinds have in common, for one direction."""

    x: Tensor
    w: Tensor
    r: Tensor
    b: Tensor | None
    lengths: Tensor | None
    h: Tensor | None
    hidden: int
    reverse: bool
    functions: tuple[str, ...]
    clip: float

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Steps, batch, inputs."""
        steps, batch, inputs = self.x.shape
        return steps, batch, inputs

    def operands(self, gates: int) -> dict[str, Tensor]:
        """The arrays of the kernel that every kind has."""
        n = self.hidden
        found = {"x": self.x, "w": view(self.w, (gates, n, self.sizes[2])),
                 "r": view(self.r, (gates, n, n))}  # fmt: skip
        if self.b is not None:
            found["b"] = view(self.b, (2, gates, n))
        if self.lengths is not None:
            found["length"] = self.lengths
        if self.h is not None:
            found["h0"] = view(self.h, (self.sizes[1], n))
        return found

    def active(self, number: int, words: str) -> str:
        """An activation of words, cut where there is a limit."""
        if self.clip:
            limit = literal(self.clip, self.x.dtype)
            words = f"max(-{limit}, min({limit}, {words}))"
        return self.functions[number].replace("{x}", f"({words})")

    def gate(self, number: int, *, recurrent: bool = True, state: str = "h") -> str:
        """The sum that goes into a gate, before its activation."""
        _, _, inputs = self.sizes
        words = f"sum(x[s, n, k] * w[{number}, j, k] for k in range({inputs}))"
        words += f" + b[0, {number}, j]" if self.b is not None else ""
        return words + (f" + {self.back(number, state)}" if recurrent else "")

    def back(self, number: int, state: str = "h") -> str:
        """The part of it that comes from the state."""
        words = f"sum({state}[n, k] * r[{number}, j, k] for k in range({self.hidden}))"
        return words + (f" + b[1, {number}, j]" if self.b is not None else "")


@dataclass(frozen=True, slots=True)
class Settings:
    """The attributes that the three kinds have in common."""

    direction: str
    layout: int
    activations: Sequence[str] | None
    alphas: Sequence[float] | None
    betas: Sequence[float] | None
    clip: float


def _functions(
    names: Sequence[str], alphas: Sequence[float] | None, betas: Sequence[float] | None
) -> tuple[str, ...]:
    """The words of activations, their numbers put in."""
    a, b = list(alphas or ()), list(betas or ())
    found: list[str] = []
    for name in names:
        words = _ACTIVATIONS.get(name.lower())
        if words is None:
            raise UnsupportedError(f"with the activation {name}")
        default = _DEFAULTS.get(name.lower(), (1.0, 1.0))
        first = a.pop(0) if "{a}" in words and a else default[0]
        second = b.pop(0) if "{b}" in words and b else default[1]
        found.append(words.replace("{a}", repr(first)).replace("{b}", repr(second)))
    return tuple(found)


def _unrolled(
    layer: Layer, gates: int, states: Sequence[str], starts: dict[str, str], lines: str,
    more: dict[str, Tensor],
) -> tuple[Tensor, ...]:  # fmt: skip
    """The kernel: states that a time loop carries, and the output of each step."""
    steps, batch, _ = layer.sizes
    n = layer.hidden
    whole = f"f32[{batch}, {n}]".replace("f32", str(layer.x.dtype))
    text = "".join(f"{s}: {whole}\n{s}[n, j] = {starts[s]} + 0 * x[0, n, 0] + 0 * w[0, j, 0]\n"
                   for s in states)  # fmt: skip
    text += f"out: {layer.x.dtype}[{steps}, {batch}, {n}] = 0.0\n"
    text += f"for t in range({steps}):\n"
    step = f"{steps - 1} - t" if layer.reverse else "t"
    alive = f"{step} < i32(length[n])" if layer.lengths is not None else ""
    for line in lines.strip().splitlines():
        text += "    " + line.strip().replace("x[s,", f"x[{step},") + "\n"
    for s in states:
        value = f"new_{s}[n, j]"
        text += f"    {s}[n, j] = " + (f"{value} if {alive} else {s}[n, j]" if alive else value)
        text += "\n"
    value = f"new_{states[0]}[n, j]"
    text += f"    out[{step}, n, j] = " + (f"{value} if {alive} else 0.0" if alive else value)
    results = {"out": (layer.x.dtype, (steps, batch, n))}
    results |= dict.fromkeys(states, (layer.x.dtype, (batch, n)))
    return compute("recurrent", {**layer.operands(gates), **more}, text, results)


def _directions(
    run: Callable[[Layer, int], tuple[Tensor, ...]], kind: str, functions: int,
    operands: Sequence[Tensor | None], said: Settings,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Each direction by itself, and the results side by side."""
    x, w, r, b, lengths, h = operands
    assert x is not None
    assert w is not None
    assert r is not None
    count = 2 if said.direction == "bidirectional" else 1
    if said.layout:
        x = transpose(x, perm=(1, 0, 2))
        h = None if h is None else transpose(h, perm=(1, 0, 2))
    names = said.activations or [*_USUAL[kind]] * count
    words = _functions(names, said.alphas, said.betas)
    found: list[tuple[Tensor, ...]] = []
    for d in range(count):
        layer = Layer(
            x, _part(w, d), _part(r, d), None if b is None else _part(b, d), lengths,
            None if h is None else _part(h, d), w.shape[1] // _GATES[kind],
            d == 1 or said.direction == "reverse", words[d * functions : (d + 1) * functions],
            said.clip,
        )  # fmt: skip
        found.append(run(layer, d))
    return _side_by_side(found, layout=bool(said.layout))


def _part(x: Tensor, d: int) -> Tensor:
    return sliced(x, 0, d, 1)


def _side_by_side(found: Sequence[tuple[Tensor, ...]], *, layout: bool) -> tuple[Tensor, ...]:
    outs = [view(f[0], (f[0].shape[0], 1, *f[0].shape[1:])) for f in found]
    whole = concat(*outs, axis=1)
    states = [
        concat(*(view(f[n], (1, *f[n].shape)) for f in found), axis=0)
        for n in range(1, len(found[0]))
    ]
    if layout:
        whole = transpose(whole, perm=(2, 0, 1, 3))
        states = [transpose(s, perm=(1, 0, 2)) for s in states]
    return whole, *states


_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


@operator("RNN")
def rnn(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h: Tensor | None = None, *, hidden_size: int = 0, direction: str = "forward",
    activations: Sequence[str] | None = None, activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None, clip: float = 0.0, layout: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A state that each step mixes with the input."""
    del hidden_size

    def run(layer: Layer, _: int) -> tuple[Tensor, ...]:
        lines = f"new_h[n, j] = {layer.active(0, layer.gate(0))}"
        return _unrolled(layer, 1, ("h",), {"h": "h0[n, j]" if h is not None else "0.0"}, lines, {})

    said = Settings(direction, layout, activations, activation_alpha, activation_beta, clip)
    return _directions(run, "RNN", 1, (x, w, r, b, lengths, h), said)


@operator("GRU")
def gru(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h: Tensor | None = None, *, hidden_size: int = 0, direction: str = "forward",
    activations: Sequence[str] | None = None, activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None, clip: float = 0.0, layout: int = 0,
    linear_before_reset: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A state with a gate that updates it and one that resets it."""
    del hidden_size

    def run(layer: Layer, _: int) -> tuple[Tensor, ...]:
        lines = f"z[n, j] = {layer.active(0, layer.gate(0))}\n"
        lines += f"q[n, j] = {layer.active(0, layer.gate(1))}\n"
        if linear_before_reset:
            inner = f"{layer.gate(2, recurrent=False)} + q[n, j] * ({layer.back(2)})"
        else:
            lines += "g[n, j] = q[n, j] * h[n, j]\n"
            inner = layer.gate(2, state="g")
        lines += f"c[n, j] = {layer.active(1, inner)}\n"
        lines += "new_h[n, j] = (1 - z[n, j]) * c[n, j] + z[n, j] * h[n, j]"
        return _unrolled(layer, 3, ("h",), {"h": "h0[n, j]" if h is not None else "0.0"}, lines, {})

    said = Settings(direction, layout, activations, activation_alpha, activation_beta, clip)
    return _directions(run, "GRU", 2, (x, w, r, b, lengths, h), said)


@operator("LSTM")
def lstm(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h: Tensor | None = None, c: Tensor | None = None, p: Tensor | None = None, *,
    hidden_size: int = 0, direction: str = "forward",
    activations: Sequence[str] | None = None, activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None, clip: float = 0.0, layout: int = 0,
    input_forget: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A state and a cell, with gates for the input, the output and forgetting; peepholes."""
    del hidden_size
    if c is not None and layout:
        c = transpose(c, perm=(1, 0, 2))

    def run(layer: Layer, d: int) -> tuple[Tensor, ...]:
        more: dict[str, Tensor] = {}
        if c is not None:
            more["c0"] = view(_part(c, d), (layer.sizes[1], layer.hidden))
        if p is not None:
            more["p"] = view(_part(p, d), (3, layer.hidden))

        def peep(number: int, state: str) -> str:
            return f" + p[{number}, j] * {state}[n, j]" if p is not None else ""

        lines = f"i[n, j] = {layer.active(0, layer.gate(0) + peep(0, 'c'))}\n"
        if input_forget:
            lines += "f[n, j] = 1 - i[n, j]\n"
        else:
            lines += f"f[n, j] = {layer.active(0, layer.gate(2) + peep(2, 'c'))}\n"
        lines += f"g[n, j] = {layer.active(1, layer.gate(3))}\n"
        lines += "new_c[n, j] = f[n, j] * c[n, j] + i[n, j] * g[n, j]\n"
        lines += f"o[n, j] = {layer.active(0, layer.gate(1) + peep(1, 'new_c'))}\n"
        shown = layer.functions[2].replace("{x}", "new_c[n, j]")
        lines += f"new_h[n, j] = o[n, j] * ({shown})"
        starts = {"h": "h0[n, j]" if h is not None else "0.0",
                  "c": "c0[n, j]" if c is not None else "0.0"}  # fmt: skip
        return _unrolled(layer, 4, ("h", "c"), starts, lines, more)

    said = Settings(direction, layout, activations, activation_alpha, activation_beta, clip)
    return _directions(run, "LSTM", 3, (x, w, r, b, lengths, h), said)
