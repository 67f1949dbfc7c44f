"""The law of the whole: any program of the language gives its values on every path.

The values come from `direct`, which shares nothing with the workbench. `make laws` tries fresh
programs; here the same ones every time.
"""

from __future__ import annotations

from tests.laws.campaign import law

PROGRAMS = 1000
SCHEDULED = 600
"""The cases in which a schedule of legal steps, drawn by chance, gives what the program means."""
RARE = (
    "0-d", "atomic", "break", "data", "filter", "function", "if", "intermediate", "kernel call",
    "parts", "private", "scan", "several results", "step", "time loop", "triangle", "tuple",
    "update", "while",
)  # fmt: skip
MORE = ("f16", "f64", "i64", "i8", "u8")


def test_programs_give_what_they_mean_everywhere() -> None:
    """Counts what was grown, so that a generator that stops growing something fails as well."""
    seen = law(PROGRAMS)
    total = seen["program"]
    shares = {form: count / total for form, count in seen.most_common()}
    print(f"\n{total} programs:", ", ".join(f"{f} {s:.1%}" for f, s in shares.items()))
    print(f"{seen['step refused']} of {seen['drawn step']} steps refused")

    assert total >= PROGRAMS
    assert shares["block with a recurrence"] >= 0.3
    assert shares["border"] >= 0.3
    assert seen["scheduled"] >= SCHEDULED
    assert min(seen[f"scheduled {path}"] for path in ("cpu", "native", "simt")) >= SCHEDULED / 8
    assert seen["scheduled wasm"] >= SCHEDULED / 20
    assert 0.2 <= seen["step refused"] / seen["drawn step"] <= 0.8
    assert shares["dependence"] >= 0.3
    assert min(shares.get(form, 0) for form in RARE) >= 0.03
    assert shares["reported"] >= 0.005
    assert shares["refused"] == 0
    assert shares["usual dtypes"] >= 0.4
    assert min(shares[dtype] for dtype in MORE) >= 0.05
    assert shares["refused on native"] >= 0.03
    assert seen["refused on wasm"] == 0
    assert shares["vague"] <= 0.2
