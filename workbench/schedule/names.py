"""Names of loops in schedules, and how a loop is found by one.

    j        the loop over `j`, while there is only one
    y.j      the loop over `j` that computes `y`, where several equations have a `j`
    k_o k_i  the outer and the inner loop that splitting `k` made (`y.k_o`, `y.k_i`); tile,
             unroll, vectorize and parallelize with a size split in the same way
    k_t      the loop over what tail="peel" left of `k`
    k_f k_l  the loops over the first and the last iterations that peeling `k` made
    i_j      the loop that fusing `i` with the loop `j` inside of it made
    j_1      a loop by its own variable, as the loops text shows it

A loop computes the arrays that are written inside it. One that only fills an accumulator
computes what the body around it writes. Where a step made a copy of a loop (`j_1`), the name
without number is that of the loop itself.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from workbench.ir.loops import Loops
from workbench.ir.stmt import Body, For, bodies
from workbench.schedule.nests import around, loops_in, repeated, stored
from workbench.schedule.step import Verdict, no


@cache
def base(var: str) -> str:
    """The name of a loop without the numbers that made its variable unique."""
    return re.sub(r"_\d+(?=_|$)", "", var) or var


def find(loops: Loops, name: str) -> For | Verdict:
    """The loop of that name, or the refusal that names the candidates."""
    found = _named(loops, name)
    chosen = _chosen(loops, found, name)
    if chosen is not None and repeated(chosen):
        reason = f"'{name}' repeats whole nests; steps change the loops inside of it"
        return no(reason, chosen.origin, hint=_inside(loops, chosen))
    if chosen is not None:
        return chosen
    everyone = list(loops_in(loops.body))
    if found:
        candidates = [shown(loops, x.var) for x in found]
        reason = f"'{name}' is ambiguous: {len(found)} loops have this name"
        return no(reason, *(x.origin for x in found), hint=" or ".join(map(repr, candidates)))
    names = [shown(loops, x.var) for x in everyone]
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'?" if close else ", ".join(map(repr, names))
    return no(f"no loop named '{name}'", hint=hint)


def _inside(loops: Loops, repeat: For) -> str:
    """The loops of a repeat, as a hint."""
    return ", ".join(repr(shown(loops, x.var)) for x in loops_in(repeat.body) if not repeated(x))


def shown(loops: Loops, var: str) -> str:
    """The shortest name under which schedules find the loop."""
    short = base(var)
    if len(_named(loops, short)) == 1:
        return short
    wishes = [short, *(f"{a}.{short}" for a in computes(loops, var))]
    found = ((w, _chosen(loops, _named(loops, w), w)) for w in wishes)
    return next((w for w, loop in found if loop is not None and loop.var == var), var)


def computes(loops: Loops, var: str) -> tuple[str, ...]:
    """The storage arrays that a loop computes."""
    path = around(loops.body, var)
    for s in reversed(path):
        for body in bodies(s):
            if s is path[-1] or _holds(body, var):
                names = stored(loops, body)
                if names:
                    return names
    return stored(loops, loops.body)


def _holds(body: Body, var: str) -> bool:
    return bool(around(body, var))


def _named(loops: Loops, name: str) -> list[For]:
    array, _, short = name.rpartition(".")
    found = [x for x in loops_in(loops.body) if short in {x.var, base(x.var)}]
    return [x for x in found if not array or array in computes(loops, x.var)]


def _chosen(loops: Loops, found: list[For], name: str) -> For | None:
    """The only loop found, or the one whose own variable is meant."""
    if len(found) == 1:
        return found[0]
    array, _, short = name.rpartition(".")
    exact = next((x for x in found if x.var == short), None)
    owners = {computes(loops, x.var) for x in found}
    meant = bool(array) or short != base(short) or len(owners) == 1
    return exact if meant else None
