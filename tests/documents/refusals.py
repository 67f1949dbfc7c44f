"""Examples of every kind of error: a cell or a call, and the kind of error it ends in.

The page `docs/errors.md` shows them with the words they provoke, which `pages.py` writes and the
tests compare. To show another refusal, add a row. What an error means is said by its class, in
`workbench/base/errors.py`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass

SIGNATURE = "def f(x: f32[N], A: f32[M, K], B: f32[K, M], m: i32[N], n: i32, b: bool) -> f32[N]:\n"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text that `wb.kernel` refuses."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel's text that is accepted, bound to `k`, and the Python that is refused then."""

    text: str
    python: str


@dataclass(frozen=True, slots=True)
class Group:
    """Examples that belong together under one heading; `error` names their class."""

    error: str
    title: str
    examples: tuple[Cell | Call, ...]


def line(text: str) -> Cell:
    """One line in a kernel of many parameters."""
    return Cell(f"{SIGNATURE}    {text}\n    return y\n")


def block(*lines: str) -> Cell:
    """Lines of a loop block in a kernel of many parameters."""
    body = "".join(f"        {text}\n" for text in lines)
    return Cell(f"{SIGNATURE}    for i in grid(N):\n{body}    return y\n")


SUM = """\
def add(x: f32[N], y: f32[N]) -> f32[N]:
    z[i] = x[i] + y[i]
    return z
"""
HALF = """\
def half(a):
    return a / 2

"""
WINDOW = """\
def window(x: f32[N], n: i32 = 8, gain: f32 = 1.0) -> f32[n]:
    assert N >= n
    y[i] = gain * x[i + N - n]
    return y
"""
MATMUL = """\
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
RECURRENCE = """\
def smooth(x: f32[N]) -> f32[N]:
    for i in grid(N):
        state = 0.0
        for t in range(4):
            state = 0.5 * state + x[i]
        y[i] = state
    return y
"""
LARGE = """\
def outer(n: i32) -> f32[n, n]:
    y[i, j] = f32(i * j)
    return y
"""
BEST = """\
def best(x: f32[M, N]) -> i32[M]:
    at[i] = argmax(x[i, j] for j in range(N))
    return at
"""
BEST_BEFORE = """\
def f(x: f32[N]) -> i32[N]:
    at[i] = argmax(x[j] for j in range(i))
    return at
"""
ABOVE = """\
def above(x: f32[N]) -> i32:
    at = argmax(x[j] for j in range(N) if x[j] > 2)
    return at
"""

HISTOGRAM = """\
def histogram(b: i32[N]) -> i32[9]:
    h: i32[9]
    h[k] = 0
    for i in grid(N):
        {}
    return h
"""

GROUPS: tuple[Group, ...] = (
    Group(
        "SourceError",
        "Reading the text",
        (
            Cell("def f(x: f32[N]) -> f32[N]:\n    y[i] = (x[i]\n    return y\n"),
            Cell("import numpy\n"),
            Cell(""),
            line("y[i] = __import__('os')"),
        ),
    ),
    Group(
        "SourceError",
        "Signatures",
        (
            Cell("def f(x: f32[N]):\n    return x\n"),
            Cell("def f(x: float[N]) -> f32[N]:\n    return x\n"),
            Cell("def f(x: f32[N]) -> f32[L]:\n    return x\n"),
            Cell("def f(x: f32[N]) -> i32[N]:\n    return x\n"),
            Cell("def f(x: f32[N]) -> (f32[N], f32[N]):\n    return x\n"),
            Cell("def f(on: f32[N]) -> f32[N]:\n    return on\n"),
            Cell("def f(x: f32[N], n: i32 = 1.5) -> f32[N]:\n    return x\n"),
            Cell("def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i]\n"),
        ),
    ),
    Group(
        "SourceError",
        "Names",
        (
            line("y[i] = x[i] + foo"),
            line("y[i] = exq(x[i])"),
            line("y[i] = X[i]"),
            Cell("def f(x: f32[H, W], W: f32[N]) -> f32[N]:\n    y[i] = W[i]\n    return y\n"),
            line("y[i] = sum(x[i] for i in range(N))"),
        ),
    ),
    Group(
        "SourceError",
        "Calls",
        (
            Cell(f"{HALF}def f(x: f32[N]) -> f32[N]:\n    y[i] = half(x[i], 2.0)\n    return y\n"),
            Cell(f"{HALF}def f(x: f32[N]) -> f32[N]:\n    y[i] = half()\n    return y\n"),
            Cell(f"{SUM}\ndef f(x: f32[N]) -> f32[N]:\n    y = add(x, x, x)\n    return y\n"),
        ),
    ),
    Group(
        "SourceError",
        "Equations",
        (
            line("y[i] = x[i] + A[i, 0]"),
            line("y[i, j] = A[i, j]"),
            line("y[i] = A[i]"),
            line("y[i] = x[i] * k"),
            line("y[i, i] = x[i]"),
            line("y[i + 1] = x[i]"),
            line("T[0] = x[0]"),
            line("y[i] = x"),
            line("y[i] = argmax(A[p, q] for p in range(M) for q in range(K))"),
            line("y[i] = sum(x)"),
            line("y[i] = sum(x[k] for k in range(N, 0, -1))"),
            Cell("def f(x: f32[N]) -> f32[N]:\n    t[i] = x[i + 1] if i + 1 < N else 0.0\n"
                 "    y[i] = t[i]\n    return y\n"),
        ),
    ),
    Group(
        "SourceError",
        "Bounds and clashes",
        (
            line("y[i] = x[i + 1]"),
            line("y[i] = x[-1]"),
            line("y[i] = sum(x[i + k] for k in range(3))"),
            Cell("def f(x: f32[N]) -> f32[N]:\n    for i in grid(N):\n"
                 "        if i > 0:\n            y[i] = x[i]\n    return y\n"),
            Cell("def f(x: f32[N]) -> f32[N]:\n    for i in grid(N):\n"
                 "        y[i // 2] = x[i]\n    return y\n"),
            Cell("def f(x: f32[N]) -> f32[N]:\n    assert N > 0\n    y[0] = x[0]\n"
                 "    for t in range(2, N):\n        y[t] = y[t - 1] + x[t]\n    return y\n"),
            Cell("def f(x: f32[N]) -> f32[N]:\n    for i in grid(N):\n"
                 "        x[i] = x[max(i - 1, 0)]\n    return x\n"),
        ),
    ),
    Group(
        "SourceError",
        "Elements that iterations share",
        (
            Cell(HISTOGRAM.format("h[b[i]] += 1\n        h[b[i]] = max(h[b[i]], 2)")),
            Cell(HISTOGRAM.format("h[b[i]] += h[0]")),
            Cell(HISTOGRAM.format("h[b[i]] *= 2")),
            Cell(HISTOGRAM.format("h[0] = b[i]")),
            Cell("def f(b: i32[N]) -> i32[9]:\n    for i in grid(N):\n        h[b[i]] += 1\n"
                 "    return h\n"),
        ),
    ),
    Group(
        "SourceError",
        "Types and numbers",
        (
            line("y[i] = n // 2"),
            line("y[i] = x[i] + b"),
            line("y[i] = x[i] if n else 0"),
            line("y[i] = x[i] << 2"),
            line("y[i] = x[n / 2]"),
            line("y[i] = 1e39"),
            line("y[i] = n + 2147483648"),
            line("y[i] = n ** n"),
            line("y[i] = x[i] ** 65"),
            line("y[i] = 2j"),
            line("y[i] = sqrt(x[i], 2)"),
        ),
    ),
    Group(
        "SourceError",
        "Loop blocks",
        (
            block("if n > 0:", "    v = 1.0", "y[i] = v"),
            block("v = 0", "v = x[i]", "y[i] = v"),
            block("y[i] = 1", "break"),
            block("z[i] = 1", "y[i] = 1"),
            block("a, c = 1", "y[i] = a"),
            block("return x"),
            block("y[i] = 1 if n > 0 else (v := 2)"),
            line("if x[0] > 0:\n        x[i] = x[i] * 2\n    y[i] = x[i]"),
        ),
    ),
    Group(
        "SourceError",
        "Python that the language leaves out",
        (
            line("y[i] = x[i:3]"),
            line("y = x + m"),
            line("C = A @ B"),
            line("y[i] = np.exp(x[i])"),
            line("y[i] = x.shape"),
            line("y[i] = sum([x[k] for k in range(N)])"),
            line("y[i] = 'a'"),
        ),
    ),
    Group(
        "CallError",
        "Arguments",
        (
            Call(SUM, "k(np.ones(4, 'f4'))"),
            Call(SUM, "k(np.ones(4, 'f4'), np.ones(4, 'f4'), np.ones(4, 'f4'))"),
            Call(SUM, "k(np.ones(4, 'f4'), z=np.ones(4, 'f4'))"),
            Call(SUM, "k(np.ones(4), np.ones(4))"),
            Call(SUM, "k(np.ones((4, 4), 'f4'), np.ones(4, 'f4'))"),
            Call(SUM, "k(np.ones(4, 'f4'), np.ones(5, 'f4'))"),
            Call(SUM, "k('four', np.ones(4, 'f4'))"),
            Call(WINDOW, "k(np.ones(4, 'f4'))"),
            Call(WINDOW, "k(np.ones(9, 'f4'), n=2.5)"),
            Call(WINDOW, "k(np.ones(9, 'f4'), gain='loud')"),
        ),
    ),
    Group(
        "CallError",
        "Dims",
        (
            Call(MATMUL, "k.compile(on='cpu', dims={'M': 4, 'K': 4, 'N': 4, 'P': 4})"),
            Call(MATMUL, "k.compile(on='cpu', dims={'M': -4, 'K': 4, 'N': 4})"),
        ),
    ),
    Group(
        "OpenDimError",
        "Open dims",
        (
            Call(MATMUL, "k.compile(on='cpu', dims={'M': 8, 'N': None}).at({'M': 9})"),
            Call(MATMUL, "k.compile(on='cpu', dims={'N': None}).at({'N': 2**24 + 1})"),
        ),
    ),
    Group(
        "ScheduleError",
        "Steps",
        (
            Call(MATMUL, "k.compile(k.schedule().split('q', 8), on='cpu',\n"
                         "          dims={'M': 8, 'K': 8, 'N': 8})"),
            Call(MATMUL, "k.compile(k.schedule().parallelize('k', 'invocation.x'), on='native',\n"
                         "          dims={'M': 8, 'K': 8, 'N': 8})"),
            Call(MATMUL, "k.compile(k.schedule().split('k', 0), on='cpu',\n"
                         "          dims={'M': 8, 'K': 8, 'N': 8})"),
            Call(RECURRENCE, "k.compile(k.schedule().parallelize('t', 'invocation.x'),\n"
                             "          on='native', dims={'N': 8})"),
        ),
    ),
    Group(
        "CodegenError",
        "Limits of a target",
        (
            Call(LARGE, "k(65536, on='cpu')"),
            Call(BEST, "k(np.ones((3, 0), 'f4'), on='cpu')"),
            Call(BEST_BEFORE, "k(np.ones(3, 'f4'), on='cpu')"),
        ),
    ),
    Group(
        "DeviceError",
        "Devices and programs",
        (
            Call(SUM, "k(np.ones(4, 'f4'), np.ones(4, 'f4'), on='gpu')"),
            Call(SUM, "wb.load('/dev/null')"),
        ),
    ),
    Group(
        "RunError",
        "While a program runs",
        (Call(ABOVE, "k.compile(on='cpu', dims={'N': 4}).check({'x': np.ones(4, 'f4')})"),),
    ),
)  # fmt: skip
"""In the order of the page."""

NOT_YET: tuple[tuple[str, Cell], ...] = (
    ("A private array in a loop block.", block("acc: f32[8]", "y[i] = x[i]")),
    ("A grid inside a block.", block("for j in grid(M):", "    y[i] = 1")),
    ("A loop without literal bounds in a function that kernels inline.",
     Cell("def power(a, n):\n    b = 1.0\n    for k in range(n):\n        b *= a\n    return b\n\n"
          "def f(x: f32[N], m: i32[N]) -> f32[N]:\n    y[i] = power(x[i], m[i])\n    return y\n")),
    ("A while in a function that kernels inline.",
     Cell("def halved(a):\n    while a > 1.0:\n        a /= 2\n    return a\n\n"
          "def f(x: f32[N]) -> f32[N]:\n    y[i] = halved(x[i])\n    return y\n")),
)  # fmt: skip
"""What the language will say and refuses today; the page leaves out what is accepted by now."""
