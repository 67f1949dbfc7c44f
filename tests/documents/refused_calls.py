"""Calls that are refused: of a kernel, of a compilation, of a schedule and of a device."""

from __future__ import annotations

from tests.documents.examples import Call, Group

TOO_WIDE = "k.schedule().parallelize('i', 'workgroup.x', 512)"
SUM = """\
def add(x: f32[N], y: f32[N]) -> f32[N]:
    z[i] = x[i] + y[i]
    return z
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
DOUBLE = """\
def double(x: f32[N]) -> f32[N]:
    y[i] = 2 * x[i]
    return y
"""
WHOLE = """\
def whole(x: i32[N]) -> i32[N]:
    y[i] = 2 * x[i]
    return y
"""
WINDOWS = """\
def windows(x: f32[N], w: f32[N + 2], v: f32[4]) -> f32[N]:
    y[i] = x[i] + w[i + 2] + v[0]
    return y
"""
MANY = """\
def many(x: f32[N], n: i32) -> f32[N]:
    for t in range(20000):
        for s in range(t % n):
            x[i] = x[i] + 1
    return x
"""
REPEATED = """\
def repeated(x: f32[N], m: i32[1]) -> f32[N]:
    for t in range(m[0]):
        x[i] = 2 * x[i]
    return x
"""
COUNTED = """\
def counted(x: f16[N], b: i32[N]) -> f16[N]:
    for i in grid(N):
        x[b[i]] += 1
    return x
"""
EXACT = """\
def exact(x: f64[N]) -> f64[N]:
    y[i] = x[i] / 3
    return y
"""
TILED = """\
def tiled(x: f32[N]) -> f32[N]:
    y[i] = 2 * x[i]
    return y

@schedule(tiled)
def named(T="wide"):
    split("i", T // 2)

@schedule(tiled)
def halved(T=8):
    split("i", 16 // T)
"""
TILES = f"""{MATMUL}
@schedule(matmul)
def tiles(T=16):
    tile("i", T, "j", T)
    split("k", 512)
    parallelize("i_o", "workgroup.y")
    parallelize("j_o", "workgroup.x")
    parallelize("i_i", "invocation.y")
    parallelize("j_i", "invocation.x")
    cache("A", "workgroup", at="k_o")
    cache("B", "workgroup", at="k_o")
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
GATHER = """\
def gather(table: f32[N], b: i32[M]) -> f32[M]:
    y[i] = table[b[i]]
    return y
"""
ABOVE = """\
def above(x: f32[N]) -> i32:
    at = argmax(x[j] for j in range(N) if x[j] > 2)
    return at
"""

GROUPS = (
    Group(
        "SourceError",
        "Knobs of schedules",
        (
            Call(TILED, "k.schedules['halved'](T=0)"),
            Call(TILED, "k.schedules['named']()"),
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
            Call(WINDOW, "k(np.ones(9, 'f4'), n=2**40)"),
            Call(SUM, "k(np.ones(4, 'f4'), np.ones(4, 'f4'), x=np.ones(4, 'f4'))"),
            Call(SUM, "k([[1], [2, 3]], np.ones(4, 'f4'))"),
            Call(WHOLE, "k([1.5, 2])"),
            Call(SUM, "k(wb.array(np.ones(4, 'i4')), np.ones(4, 'f4'))"),
            Call(WINDOWS, "k(np.ones(4, 'f4'), np.ones(4, 'f4'), np.ones(4, 'f4'))"),
            Call(WINDOWS, "k(np.ones(4, 'f4'), np.ones(6, 'f4'), np.ones(5, 'f4'))"),
        ),
    ),
    Group(
        "CallError",
        "Dims",
        (
            Call(MATMUL, "k.compile(on='cpu', dims={'M': 4, 'K': 4, 'N': 4, 'P': 4})"),
            Call(MATMUL, "k.compile(on='cpu', dims={'M': -4, 'K': 4, 'N': 4})"),
            Call(MATMUL, "k.compile(on='cpu', dims={'M': 2**40, 'K': 4, 'N': 4})"),
        ),
    ),
    Group(
        "OpenDimError",
        "Open dims",
        (
            Call(MATMUL, "k.compile(on='cpu', dims={'M': 8, 'N': None}).at({'M': 9})"),
            Call(MATMUL, "k.compile(on='cpu', dims={'N': None}).at({'N': 2**24 + 1})"),
            Call(MATMUL, "k.compile(on='cpu', dims={'M': None, 'N': None, 'K': 8})"
                         ".at({'M': 2**16, 'N': 2**15})"),
            Call(DOUBLE, "k.compile(on='native', dims={'N': None}).at({'N': 2**24})"),
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
            Call(TILED, "k.schedules['halved'](T='wide')"),
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
            Call(MATMUL, "k.compile(k.schedule().cache('A', 'private', at='i'), on='cpu',\n"
                         "          dims={'M': 2, 'K': 100_000, 'N': 2})"),
            Call(TILES, "k.compile(k.schedules['tiles'](), on='native',\n"
                        "          dims={'M': 512, 'K': 512, 'N': 512})"),
            Call(SUM, f"k.compile({TOO_WIDE}, on='null', dims={{'N': 4096}})"),
            Call(LARGE, "k(65536, on='cpu')"),
            Call(BEST, "k(np.ones((3, 0), 'f4'), on='cpu')"),
            Call(BEST_BEFORE, "k(np.ones(3, 'f4'), on='cpu')"),
            Call(EXACT, "k.compile(on='native', dims={'N': 3})"),
            Call(COUNTED, "k.compile(on='native', dims={'N': 3})"),
            Call(REPEATED, "k.compile(on='cpu', dims={'N': 3})"),
            Call(MANY, "k.compile(on='native', dims={'N': 3}).program"),
        ),
    ),
    Group(
        "DeviceError",
        "Devices and programs",
        (
            Call(SUM, "k(np.ones(4, 'f4'), np.ones(4, 'f4'), on='gpu')"),
            Call(SUM, "wb.load('/dev/null')"),
            Call(GATHER, "k(np.ones(4, 'f4'), np.array([0, 9, 3], 'i4'), on='cpu').numpy()"),
            Call(ABOVE, "k(np.ones(4, 'f4'), on='cpu').numpy()"),
        ),
    ),
    Group(
        "RunError",
        "While a program runs",
        (Call(ABOVE, "k.compile(on='cpu', dims={'N': 4}).check({'x': np.ones(4, 'f4')})"),),
    ),
)  # fmt: skip
