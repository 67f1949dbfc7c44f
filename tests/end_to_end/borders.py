"""What crosses the border to a device: a chain of calls, and arguments in every layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.device import Memory, open_device
from workbench.session.kernel import Last

CONV = """
def conv(x: f32[C, H, W], w: f32[K, C, R, S]) -> f32[K, H - R + 1, W - S + 1]:
    y[k, i, j] = sum(x[c, i + r, j + s] * w[k, c, r, s]
                     for c in range(C) for r in range(R) for s in range(S))
    return y
"""
RAMP = """
def ramp(x: f32[M, N]) -> f32[M, N]:
    y[i, j] = 2.0 * x[i, j] + f32(i * N + j)
    return y
"""
TURNED = """
def turned(m: bool[N], x: f32[N]) -> (bool[N], f32[N]):
    n[i] = not m[i]
    y[i] = x[i] if m[i] else -x[i]
    return n, y
"""
MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
BASE = np.random.default_rng(5).random((12, 14), dtype=np.float32)


def read_only(x: np.ndarray) -> np.ndarray:
    """The same values, not to be written."""
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, np.ndarray] = {
    "C order": BASE[:6, :7].copy(),
    "transposed": np.ascontiguousarray(BASE[:6, :7].T).T,
    "Fortran order": np.asfortranarray(BASE[:6, :7]),
    "strided": BASE[::2, ::2],
    "backwards": BASE[::-2, ::-2],
    "broadcast": np.broadcast_to(BASE[0, :7], (6, 7)),
    "read-only": read_only(BASE[:6, :7]),
    "swapped bytes": BASE[:6, :7].astype(">f4"),
    "swapped bytes, strided": BASE.astype(">f4")[::2, ::-2],
    "unaligned": np.frombuffer(b"\0" + BASE[:6, :7].tobytes(), "<f4", 42, 1).reshape(6, 7),
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of every write to a device and every read from it."""

    written: list[int]
    read: list[int]


def watched(on: str, monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """Counts what is written to a device and read from it, from now on."""
    kind = type(open_device(on).now())
    write: Callable[..., None] = kind.write
    reads = "ask" if "ask" in vars(kind) else "read"  # a page's device reads by asking
    read: Callable[..., object] = getattr(kind, reads)
    seen = Traffic([], [])

    def counted_write(self: object, memory: Memory, content: memoryview, offset: int = 0) -> None:
        seen.written.append(content.nbytes)
        write(self, memory, content, offset)

    def counted_read(self: object, memory: Memory, size: int) -> object:
        seen.read.append(size)
        return read(self, memory, size)

    monkeypatch.setattr(kind, "write", counted_write)
    monkeypatch.setattr(kind, reads, counted_read)
    return seen


def check_chain(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands between two calls is never read back and never sent."""
    rng = np.random.default_rng(3)
    a, w, v = (rng.random(s, dtype=np.float32) for s in ((3, 9, 10), (4, 3, 3, 3), (2, 4, 2, 2)))
    conv = wb.kernel(CONV)
    seen = watched(on, monkeypatch)
    c = conv(a, w, on=on)
    e = conv(c, v, on=on)
    before = list(seen.read)
    result = np.asarray(e)
    patches = np.lib.stride_tricks.sliding_window_view
    first = np.einsum("cijrs,kcrs->kij", patches(a, (3, 3), (1, 2)), w)
    second = np.einsum("cijrs,kcrs->kij", patches(first, (2, 2), (1, 2)), v)

    np.testing.assert_allclose(result, second, rtol=1e-5)
    assert (sorted(seen.written), before) == (sorted([a.nbytes, w.nbytes, v.nbytes]), [])
    assert seen.read == [result.nbytes]
    assert c.transfers == ()
    assert c.places == (open_device(on).now().name,)
    assert [(x.source, x.target, x.nbytes) for x in e.transfers] == [(on, "host", result.nbytes)]


def check_layouts(on: str) -> None:
    """An argument means its values, however it lies in memory, and stays as it is."""
    k = wb.kernel(RAMP)
    for name, x in LAYOUTS.items():
        before = x.copy()
        y = k(x, on=on)
        expected = 2 * x.astype(np.float32) + np.arange(42, dtype=np.float32).reshape(6, 7)

        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6, err_msg=name)
        np.testing.assert_array_equal(x, before)


def check_conversions(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions are made once, at the border, and an array says which."""
    n = 37
    m, x = np.arange(n) % 3 == 0, np.arange(n, dtype=">f4")[::-1]
    k = wb.kernel(TURNED)
    kept, values = wb.array(m), wb.array(x)
    seen = watched(on, monkeypatch)
    first, _ = k(kept, values, on=on)
    back, y = k(first, values, on=on)
    place = open_device(on).now().name

    assert seen.written == [4 * n, 4 * n]
    assert [c.words for c in kept.transfers] == [f"host to {place} 148 B, bool to 32-bit words"]
    assert [c.words for c in values.transfers] == [
        "numpy to host 148 B, swapped bytes, strides to C order",
        f"host to {place} 148 B",
    ]
    assert first.transfers == ()
    np.testing.assert_array_equal(back, m)
    np.testing.assert_array_equal(y, np.where(~m, x, -x))
    assert [c.words for c in back.transfers] == [f"{place} to host 37 B, 32-bit words to bool"]


def check_panels(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a schedule leaves in panels is taken so, and laid out in C order once, for the host."""
    rng = np.random.default_rng(4)
    a, b, d = (rng.random((16, 16), dtype=np.float32) for _ in range(3))
    k = wb.kernel(MATMUL)
    make = k.schedule().transform_layout("C", 1, 8)
    take = k.schedule().transform_layout("B", 1, 8)
    seen = watched(on, monkeypatch)
    c = k(a, b, on=on, schedule=make)
    e = k(d, c, on=on, schedule=take)
    place = open_device(on).now().name

    assert isinstance(k.last, Last)
    assert "B: f32[2, 16, 8]" in k.last.compilation.stages["scheduled"].text
    assert (seen.written, seen.read, c.transfers) == ([1024] * 3, [], ())
    np.testing.assert_allclose(e.numpy(), d @ (a @ b), rtol=1e-5)
    for _ in range(2):
        np.testing.assert_allclose(c.numpy(), a @ b, rtol=1e-5)
    to_order = f"{place} to {place} 1 KiB, panels of 8 along axis 1 to C order"
    assert [x.words for x in c.transfers] == [to_order, f"{place} to host 1 KiB"]
    assert seen.read == [1024, 1024]
    row = next(r for r in wb.memory({"c": c}) if "c" in r.names)
    assert f"{place} (panels of 8 along axis 1)" in row.shown[2]


def check_panels_elsewhere(on: str) -> None:
    """Panels are laid out in C order for whoever does not take them, and after a change as well."""
    rng = np.random.default_rng(5)
    a, b, d = (rng.random((8, 8), dtype=np.float32) for _ in range(3))
    k = wb.kernel(MATMUL)
    make = k.schedule().transform_layout("C", 0, 4)
    take = k.schedule().transform_layout("B", 0, 4)
    given = k.schedule().transform_layout("B", 0, 4, given=True)
    c = k(a, b, on=on, schedule=make)
    both = [k(c, c, on=on, schedule=s).numpy() for s in (make, take, given)]
    other = k(d, c, on=on, schedule=k.schedule().transform_layout("B", 1, 2)).numpy()
    packed = k(d, b, on=on, schedule=given).numpy()
    c = k(a, b, on=on, schedule=make)
    c[2, 3] = 7.0
    changed = k(d, c, on=on, schedule=take).numpy()
    ab = a @ b

    for found in both:
        np.testing.assert_allclose(found, ab @ ab, rtol=1e-5)
    np.testing.assert_allclose(other, d @ ab, rtol=1e-5)
    np.testing.assert_allclose(packed, d @ b, rtol=1e-5)
    ab[2, 3] = 7.0
    np.testing.assert_allclose(changed, d @ ab, rtol=1e-5)
