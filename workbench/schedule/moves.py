"""How loops change places: perfect nests are permuted, imperfect ones taken apart first.

Pure changes of trees; whether the answer stays is for `loop_steps` and `ir/deps.py` to say.
A chain is a run of statements, each of which holds the next: loops, and ifs without else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench.ir.expr import free_names
from workbench.ir.stmt import Body, For, If, Stmt

Link = For | If
Copy = Callable[[Stmt], Stmt]
"""Gives the loops of a statement that is taken out of a nest variables of their own."""


def moved(chain: Sequence[Link], order: Sequence[For], copy: Copy) -> Body:
    """What stands in the place of `chain[0]` once the loops of the chain are in `order`.

    Loops that keep their places stay around everything; the rest is taken apart around what
    stands beside the inner loops. Guards stand right inside the last loop they depend on.
    """
    chain = _sorted(chain, order)
    kept = _kept(chain, order)
    if kept == len(chain):
        return (chain[0],)
    if not kept:
        return _apart(chain, order, copy)
    count = sum(isinstance(s, For) for s in chain[:kept])
    body = moved(chain[kept:], order[count:], copy)
    following: Stmt = chain[kept]
    for s in reversed(chain[:kept]):
        place = next(n for n, x in enumerate(inside(s)) if x is following)
        beside = inside(s)
        body = (with_inside(s, (*beside[:place], *body, *beside[place + 1 :])),)
        following = s
    return body


def taken_apart(chain: Sequence[Link], order: Sequence[For]) -> tuple[Link, ...]:
    """The part of the chain that `moved` takes apart; empty where loops only change places."""
    chain = _sorted(chain, order)
    kept = _kept(chain, order)
    if kept == len(chain) or not kept:
        return tuple(chain[kept:])
    count = sum(isinstance(s, For) for s in chain[:kept])
    return taken_apart(chain[kept:], order[count:])


def inside(s: Link) -> Body:
    """The body of a link of a chain."""
    return s.body if isinstance(s, For) else s.then


def with_inside(s: Link, body: Body) -> Link:
    """The link around another body."""
    return replace(s, body=body) if isinstance(s, For) else replace(s, then=body)


def _sorted(chain: Sequence[Link], order: Sequence[For]) -> tuple[Link, ...]:
    """The chain with its perfect part, as far as nothing stands beside, put in order."""
    ends = (n for n, s in enumerate(chain) if len(inside(s)) > 1)
    last = next(ends, len(chain) - 1)
    perfect = chain[: last + 1]
    places = {x.var: n for n, x in enumerate(order)}
    loops = [s for s in perfect if isinstance(s, For)]
    guards = [s for s in perfect if isinstance(s, If)]
    links = _placed(sorted(loops, key=lambda s: places[s.var]), guards)
    if all(a is b for a, b in zip(links, perfect, strict=True)):
        return tuple(chain)
    body, built = inside(perfect[-1]), list[Link]()
    for s in reversed(links):
        built.append(with_inside(s, body))
        body = (built[-1],)
    return (*reversed(built), *chain[last + 1 :])


def _placed(loops: Sequence[For], guards: Sequence[If]) -> list[Link]:
    """Loops in the order given, each guard right inside the last loop whose variable it uses."""
    free = {id(g): free_names(g.cond) for g in guards}
    variables = {x.var for x in loops}
    links: list[Link] = [g for g in guards if not free[id(g)] & variables]
    for n, loop in enumerate(loops):
        later = {x.var for x in loops[n + 1 :]}
        links.append(loop)
        links += [g for g in guards if loop.var in free[id(g)] and not free[id(g)] & later]
    return links


def _kept(chain: Sequence[Link], order: Sequence[For]) -> int:
    """How many links, from the outermost on, are in their places."""
    count = 0
    for n, s in enumerate(chain):
        if isinstance(s, For):
            if s.var != order[count].var:
                return n
            count += 1
    return len(chain)


def _apart(chain: Sequence[Link], order: Sequence[For], copy: Copy) -> Body:
    first: list[Stmt] = []
    last: list[Stmt] = []
    for depth, s in enumerate(chain[:-1]):
        place = next(n for n, x in enumerate(inside(s)) if x is chain[depth + 1])
        first += _wrapped(chain[: depth + 1], inside(s)[:place], copy)
        last = [*_wrapped(chain[: depth + 1], inside(s)[place + 1 :], copy), *last]
    body = inside(chain[-1])
    for s in reversed(_placed(order, [g for g in chain if isinstance(g, If)])):
        body = (with_inside(s, body),)
    return (*first, *body, *last)


def _wrapped(chain: Sequence[Link], body: Body, copy: Copy) -> Body:
    if not body:
        return ()
    for s in reversed(chain):
        body = (with_inside(s, body),)
    return tuple(copy(s) for s in body)
