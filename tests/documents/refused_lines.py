"""Equations and expressions that are refused."""

from __future__ import annotations

from tests.documents.examples import Group, kernel, lines

EQUATIONS = Group(
    "SourceError",
    "Equations",
    (
        lines("y[i] = x[i] + A[i, 0]"),
        lines("y[i, j] = A[i, j]"),
        lines("y[i] = A[i]"),
        lines("y[i] = A[i][0]"),
        lines("y[i] = (x + 1)[i]"),
        lines("y[i] = n[i]"),
        lines("y[i] = x[i] * k"),
        lines("y[i, i] = x[i]"),
        lines("y[i + 1] = x[i]"),
        lines("y[:] = x[i]"),
        lines("T[0] = x[0]"),
        lines("x[0, 0] = 1", "y[i] = x[i]"),
        lines("A[0] = x[0]", "y[i] = x[i]"),
        kernel("def f(A: f32[M, M, M]) -> f32[M, M, M]:", "    A[i, i, 0] = 1", "    return A"),
        kernel("def f(A: f32[M, N]) -> f32[M, N]:", "    A[on, 0] = 1", "    return A"),
        lines("y[i] = x"),
        lines("y[i] += x[i]"),
        lines("x: f32[N] = 1", "y[i] = x[i]"),
        lines("y: f32[N, 2]", "y[i] = x[i]"),
        lines("a[i] = c[i] = x[i]", "y[i] = x[i]"),
        lines("y[i], z[i] = x[i], 1.0"),
        lines("x.T = 1", "y[i] = x[i]"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    t[i] = x[i + 1] if i + 1 < N else 0.0",
               "    y[i] = t[i]", "    return y"),
    ),
)  # fmt: skip

REDUCTIONS = Group(
    "SourceError",
    "Reductions",
    (
        lines("y[i] = sum(x)"),
        lines("y[i] = sum(x[i], 0)"),
        lines("y[i] = sum((x[k] for k in range(N)), start=1)"),
        lines("y[i] = sum([x[k] for k in range(N)])"),
        lines("y[i] = sum(v for v in x)"),
        lines("y[i] = sum(k * v for k, v in enumerate(x))"),
        lines("y[i] = sum(x[k] for k in grid(N))"),
        lines("y[i] = sum(x[k] async for k in range(N))"),
        lines("y[i] = sum(x[k] for k in range(N, 0, -1))"),
        lines("y[i] = sum(x[k] for k in range(0, N, n))"),
        lines("y[i] = x[i] if max(x[k] > 0 for k in range(N)) else 0.0"),
        lines("y[i] = argmax(A[p, q] for p in range(M) for q in range(K))"),
    ),
)

TYPES = Group(
    "SourceError",
    "Types and numbers",
    (
        lines("y[i] = n // 2"),
        lines("y[i] = x[i] + b"),
        lines("y[i] = x[i] if b + b else 0"),
        lines("y[i] = x[i] if n else 0"),
        lines("y[i] = x[i] if b < True else 0"),
        lines("y[i] = x[i] if n in m else 0"),
        lines("y[i] = x[i] if n is not 1 else 0"),
        lines("y[i] = -b"),
        lines("y[i] = ~x[i]"),
        lines("y[i] = x[i] << 2"),
        lines("y[i] = x[n / 2]"),
        lines("y[i] = x[1.0]"),
        lines("y[i] = 1e39"),
        lines("y[i] = n + 2147483648"),
        kernel("def f(x: u32[N]) -> u32[N]:", "    y[i] = x[i] + -1", "    return y"),
        kernel("def f(x: u32[N], a: u32 = -1) -> u32[N]:", "    return x"),
        kernel("def f(x: u8[N]) -> u8[N]:", "    y[i] = x[i] + 300", "    return y"),
        kernel("def f(x: u8[N]) -> u8[N]:", "    y[i] = x[i] // i", "    return y"),
        kernel("def f(x: i32[N], a: u32) -> i32[N]:", "    y[i] = x[i] + a", "    return y"),
        lines("y[i] = n ** n"),
        lines("y[i] = n ** -1"),
        lines("y[i] = b ** 2"),
        lines("y[i] = x[i] ** 65"),
        lines("y[i] = ((((x[i] ** 8) ** 8) ** 8) ** 8)"),
        lines("y[i] = 2j"),
        lines("y[i] = None"),
    ),
)

FUNCTIONS = Group(
    "SourceError",
    "Functions of the language",
    (
        lines("y[i] = sqrt(x[i], 2)"),
        lines("y[i] = clip(x[i], min=0, max=1)"),
        lines("y[i] = abs(b)"),
        lines("y[i] = bitwise_count(x[i])"),
        lines("y[i] = np.exp(x[i])"),
        lines("y[i] = x(i)"),
        lines("y[i] = range(N)"),
        lines("y[i] = x.sum()"),
        lines("y[i] = (lambda a: 2 * a)(x[i])"),
    ),
)

PYTHON = Group(
    "SourceError",
    "Python that the language leaves out",
    (
        lines("y[i] = x[i:3]"),
        lines("y = x[1:] + x[:-1]"),
        lines("y = x + m"),
        lines("C = A @ B"),
        lines("y[i] = x.shape"),
        lines("y[i] = A.T[i, 0]"),
        lines("y = [2 * v for v in x]"),
        lines("y[i] = 'a'"),
        lines("y[i] = f'{n}'"),
        lines("y[i] = (v := x[i])"),
        lines("y[i] = lambda a: a"),
        lines("y[i] = (x[i], 1.0)"),
        lines("y[i] = [1.0, 2.0]"),
        lines("y[i] = {1.0}"),
        lines("y[i] = {1: 2.0}"),
        lines("y[i] = {v for v in x}"),
        lines("y[i] = {k: x[k] for k in range(N)}"),
        lines("y[i] = (x[k] for k in range(N))"),
        lines("y[i] = exp(*x)"),
        lines("y[i] = await x[i]"),
        lines("y[i] = yield x[i]"),
        lines("y[i] = yield from x"),
    ),
)

STATEMENTS = Group(
    "SourceError",
    "Statements that the language leaves out",
    (
        lines("global alpha", "y[i] = x[i]"),
        lines("def g(a):", "    return a", "y[i] = g(x[i])"),
        lines("try:", "    y[i] = 1 / x[i]", "except ZeroDivisionError:", "    y[i] = 0.0"),
        lines("with x:", "    y[i] = x[i]"),
        lines("y[i] = x[i]", "del x"),
        lines("raise ValueError", "y[i] = x[i]"),
        lines("pass", "y[i] = x[i]"),
        lines("print(x)", "y[i] = x[i]"),
        lines("match n:", "    case 0:", "        y[i] = x[i]"),
        lines("while n > 0:", "    y[i] = x[i]"),
        lines("for t in range(3):", "    break", "y[i] = x[i]"),
        lines("y[i] = x[i]", "assert n > 0"),
        lines("assert x[0] > 0", "y[i] = x[i]"),
        lines("for t in range(3):", "    return x", "y[i] = x[i]"),
        kernel("async def f(x: f32[N]) -> f32[N]:", "    return x"),
        kernel("class F:", "    a = 1"),
    ),
)

GROUPS = (EQUATIONS, REDUCTIONS, TYPES, FUNCTIONS, PYTHON, STATEMENTS)
