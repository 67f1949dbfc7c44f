"""Steps that change a formula and not only its order: `online_softmax` and `welford`.

Each finds two reductions over the same terms of which the second needs the first's result, and
computes both in one pass. What that does to the last digits is said in the verdict's notes.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.base.dtypes import I32
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, apply
from workbench.ir.loops import Loops
from workbench.ir.ops import zero
from workbench.ir.stmt import Store, writes
from workbench.schedule.nests import fresh, literal, taken, trips
from workbench.schedule.reductions import Reduction, reduction
from workbench.schedule.states import Cell, Deviations, Exponentials, Fold
from workbench.schedule.step import Verdict, no, step
from workbench.schedule.together import (
    Pair,
    disturbed,
    over_one_loop,
    pair,
    same_ranges,
    same_terms,
    trips_of,
    updating,
)


@step
@dataclass(frozen=True, slots=True)
class OnlineSoftmax:
    """Find the greatest of some terms and the sum of their exponentials in one pass.

    before:  top[i] = -inf
             for j in range(n): top[i] = max(top[i], x[i, j])
             s[i] = 0
             for k in range(n): s[i] += exp(x[i, k] - top[i])
    after online_softmax('s.k'):
             top[i] = -inf
             s[i] = 0
             for j in range(n):
                 greatest = max(top[i], x[i, j])
                 s[i] = s[i] * exp(top[i] - greatest) + exp(x[i, j] - greatest)
                 top[i] = greatest

    The sum is kept for the greatest term so far, and scaled when a greater one comes. The loop
    keeps the name that it has for the maximum; `rfactor` computes it in parts.
    """

    loop: str

    def check(self, loops: Loops) -> Verdict:
        """Refuses other formulas and ranges; the sum, which is rounded otherwise, is noted."""
        found = self._found(loops)
        if isinstance(found, Verdict):
            return found
        _, state = found
        what = f"rounds {state.total.array} otherwise: it is scaled when {state.top.array} grows"
        return Verdict(notes=(what,))

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = self._found(loops)
        assert not isinstance(found, Verdict)
        return over_one_loop(*found)

    def _found(self, loops: Loops) -> tuple[Pair, Exponentials] | Verdict:
        second = _sum(loops, self.loop)
        if isinstance(second, Verdict):
            return second
        (total,) = second.state.cells
        match second.state.term:
            case Apply(("exp" | "exp2") as op, (Apply("sub", (_, Load(top))),)):
                pass
            case term:
                reason = f"the terms of {total.array} are not exp(x - top) with a maximum top"
                return no(reason, term.origin, hint=_inlined(loops, term))
        first = updating(loops, top)
        if first is None or not isinstance(first.state, Fold) or first.state.op != "max":
            return no(f"{top} is not a maximum over a loop", second.state.term.origin)
        return self._paired(loops, first, second, op)

    def _paired(
        self, loops: Loops, first: Reduction, second: Reduction, op: str
    ) -> tuple[Pair, Exponentials] | Verdict:
        p = pair(loops, first, second)
        if isinstance(p, Verdict):
            return p
        (top,), (total,) = p.first.state.cells, p.second.state.cells
        term = p.second.state.term
        assert isinstance(term, Apply)
        (inner,) = term.args
        assert isinstance(inner, Apply)
        same = inner.args[1] == top.load
        refusal = _unlike(p, inner.args[0], same_element=same)
        if not refusal:
            return refusal
        names = taken(p.loops)
        term = p.first.state.term
        state = Exponentials(top, total, op, term, fresh(names, "value"), fresh(names, "greatest"))
        return p, state


@step
@dataclass(frozen=True, slots=True)
class Welford:
    """Find the sum of some terms and that of the squares of their deviations in one pass.

    before:  total = 0
             for j in range(n): total += x[i, j]
             mean[i] = total / n
             squares = 0
             for k in range(n): squares += (x[i, k] - mean[i]) * (x[i, k] - mean[i])
    after welford('k'):
             total = 0; squares = 0; count = 0
             for j in range(n):
                 apart = x[i, j] - total / max(count, 1)
                 count += 1
                 total += x[i, j]
                 squares += abs(apart * (x[i, j] - total / count))
             mean[i] = total / n

    The sum, and so the mean, is the same to the last digit; the squares are of deviations from
    the mean so far. The loop keeps the name that it has for the sum; `rfactor` computes it in
    parts.
    """

    loop: str

    def check(self, loops: Loops) -> Verdict:
        """Refuses other formulas and ranges; the squares, rounded otherwise, are noted."""
        found = self._found(loops)
        if isinstance(found, Verdict):
            return found
        _, state = found
        what = f"rounds {state.squares.array} otherwise: deviations are from the mean so far"
        return Verdict(notes=(what,))

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = self._found(loops)
        assert not isinstance(found, Verdict)
        p, state = found
        return over_one_loop(p, state, (state.count,))

    def _found(self, loops: Loops) -> tuple[Pair, Deviations] | Verdict:
        second = _sum(loops, self.loop)
        if isinstance(second, Verdict):
            return second
        totals = [t for _, mean in _apart(second) if (t := _total(loops, mean))]
        if not totals:
            (squares,) = second.state.cells
            reason = f"the terms of {squares.array} are not squares of x - mean, mean = sum / n"
            term = second.state.term
            return no(reason, term.origin, hint=_inlined(loops, term))
        first = updating(loops, totals[0])
        if first is None or not isinstance(first.state, Fold) or first.state.op != "add":
            return no(f"{totals[0]} is not a sum over a loop", second.state.term.origin)
        p = pair(loops, first, second)
        return p if isinstance(p, Verdict) else self._paired(p)

    def _paired(self, p: Pair) -> tuple[Pair, Deviations] | Verdict:
        (total,), (squares,) = p.first.state.cells, p.second.state.cells
        sides = ((x, _mean(p, m)) for x, m in _apart(p.second))
        x, mean = next(((x, m) for x, m in sides if m is not None), (None, None))
        if x is None or mean is None:
            reason = f"the mean is not of {total.array} as the first pass leaves it"
            return no(
                reason, p.second.state.term.origin, hint=_inlined(p.loops, p.second.state.term)
            )
        refusal = _unlike(p, x, same_element=mean.args[0] == total.load)
        if not refusal:
            return refusal
        if not _counts(p, mean.args[1]):
            reason = f"what {total.array} is divided by is not the number of its terms"
            return no(reason, mean.origin)
        names = taken(p.loops)
        origin = squares.origin.derive("the number of terms so far")
        count = Cell(fresh(names, "count"), (), zero(I32), origin, origin)
        term, value, apart = p.first.state.term, fresh(names, "value"), fresh(names, "apart")
        return p, Deviations(total, squares, count, term, value, apart)


def _sum(loops: Loops, name: str) -> Reduction | Verdict:
    """The reduction of a loop, where it is a sum of floats that begins at 0."""
    found = reduction(loops, name)
    if isinstance(found, Verdict):
        return found
    match found.state:
        case Fold(update) if update.reduce == "add" and update.value.dtype.kind == "f":
            return found
        case _:
            return no(f"'{name}' is not the loop of one sum of floats", found.loop.origin)


def _inlined(loops: Loops, term: Expr) -> str:
    """The call that shows what a term is, where an array stands for it."""
    between = {b.name for b in loops.buffers if b.role == "temporary"} - set(loops.outputs)
    match term:
        case Load(array) if array in between:
            return f"inline({array!r}) first"
        case Apply(_, args):
            return next((h for x in args if (h := _inlined(loops, x))), "")
        case _:
            return ""


def _unlike(p: Pair, term: Expr, *, same_element: bool) -> Verdict:
    """Refuses pairs of reductions whose ranges, elements or terms differ."""
    names = " and ".join(r.state.cells[0].array for r in (p.first, p.second))
    where = (p.first.loop.origin, p.second.loop.origin)
    if not same_ranges(p):
        return no(f"the loops of {names} run over different iterations", *where)
    if not same_element or p.first.state.cells[0].dtype != p.second.state.cells[0].dtype:
        return no(f"the terms of {names} are of different elements", *where)
    if not same_terms(p, term):
        return no(f"the terms of {names} differ", p.first.state.term.origin, term.origin)
    if not p.first.plain or not p.second.plain:
        return no(f"{names} begin with values of their own", *where)
    return disturbed(p)


def _apart(r: Reduction) -> list[tuple[Expr, Expr]]:
    """The two sides of the difference whose squares are summed, in both orders."""
    match r.state.term:
        case Apply("mul", (Apply("sub", (a, b)), other)) if other == apply("sub", a, b):
            return [(a, b), (b, a)]
        case Apply("square", (Apply("sub", (a, b)),)):
            return [(a, b), (b, a)]
        case _:
            return []


def _total(loops: Loops, mean: Expr) -> str:
    """The array of sums of which a value is the mean, '' where it is none."""
    match mean:
        case Apply("div", (Load(total), _)):
            return total
        case Load(array):
            stores = [s for s in writes(loops.body) if s.array == array]
            match stores:
                case [Store(value=Apply("div", (Load(total), _)), reduce=None)]:
                    return total
                case _:
                    return ""
        case _:
            return ""


def _mean(p: Pair, e: Expr) -> Apply | None:
    """The quotient that a value is, as it stands or as it was stored between the two passes."""
    match e:
        case Apply("div"):
            return e
        case Load():
            stores = [s for s in p.between if isinstance(s, Store) and s.array == e.array]
            match stores:
                case [Store(index=index, value=Apply("div") as value)] if index == e.index:
                    return value
                case _:
                    return None
        case _:
            return None


def _counts(p: Pair, e: Expr) -> bool:
    """Whether a float is the number of terms of the first reduction."""
    found = trips_of(p.first.whole)
    if found is None:
        return False
    counts = [trips(p.loops, s) for s in found]
    numbers = [None if c is None else literal(c) for c in counts]
    whole = 1
    for n in numbers:
        whole *= 1 if n is None else n
    known = None not in numbers
    match e:
        case Const(value):
            return known and value == whole
        case Cast(_, Const(value)):
            return known and value == whole
        case Cast(_, inner):
            return len(counts) == 1 and counts[0] == inner
        case _:
            return False
