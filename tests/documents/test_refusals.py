"""Every place that refuses a text or a call is shown by an example, and each example is right.

One mistake for one cause, on the text that is wrong, with a line that mends it or with words.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.documents.examples import Cell
from tests.documents.hints import mended, mistakes
from tests.documents.pages import examined
from tests.documents.refusals import GROUPS, NOT_YET
from tests.documents.sites import Site, sites

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.errors import Mistake

EXAMPLES = (
    *(example for group in GROUPS for example in group.examples),
    *(cell for _, cell in NOT_YET),
)
CELLS = tuple(x.text for x in EXAMPLES if isinstance(x, Cell) and mistakes(x.text))

UNREACHED: Mapping[str, str] = {
    "linked: CodegenError": "tests/unit/codegen/test_wasm.py makes such code by hand",
    "_imports: CodegenError": "tests/unit/codegen/test_wasm.py makes such code by hand",
    "_relocations: CodegenError": "LLVM asks for such addresses in no code that is known",
    "wgsl_type: CodegenError": "check_held refuses these dtypes before code is written",
    "spelling: CodegenError": "the table spells every operation that lang lets through",
    "_number: CodegenError": "lower refuses bounds that depend on data before",
    "_missing_mistake: Mistake": "isl gave up on no text that is known",
    "_tree: SourceError(f'the text cannot be read": "no file can hold half a surrogate",
    "_refuse_forms: c.wrong(head, 'type parameters": "only Python 3.12 reads them",
    "grid_of: CodegenError": "the step 'parallelize' refuses such loops before",
    "visit: CodegenError": "the step 'parallelize' refuses such loops before",
    "_refuse_barrier_inside: CodegenError": "the step 'cache' refuses such places before",
    "at: OpenDimError(f'{graph.name}: an access": "no text is known that needs more checks then",
    'check_dims: CallError(f"{graph.name}: no value': "a kernel leaves what is missing open",
    "check_known: CallError": "signatures have every dim alone as an extent",
}
"""Sites that no example reaches, by how they begin, each with the reason."""

WORDS = (
    "kernels in cells of their own", "an equation of its own for the inner part", "no line",
    "a parameter of the kernel", "a parameter of this kernel", "a function of arrays:",
    "equations for the parts", "a loop in a block:", "its element as an argument:",
    "an equation or a local of a loop block", "the return after it", "names of locals on the left",
    "else: return ... in the inner 'if'", "its lines after the loop, without 'else'",
    "a local that the loop computes", "an array on the left:", "def add(...): before this kernel",
    "arguments with P = 8", "the options one by one:", "a step:", "the same extent in both places",
    "an equation of its own for the part that is repeated", "two arrays: re[i], im[i]", "a number",
    "a function before the kernel:", "the dims of the signature:", "an equation for each value",
    "the expression itself", "an array as a parameter, or", "an equation for its elements:",
    "the values one by one", "the function beside the kernel", "a value for each case:",
    "the lines inside, without it", "a fact that calls are held to:", "an equation that keeps it:",
    "a loop with its number of turns:", "bounds of the loop that end it", "functions beside each",
    "a grid for each", "an update that is made at once:", "a grid of dims, with a condition",
    "if ...: around the rest of the block", "'return' as the last line", "an array of the kernel",
    "if ...: and else: with assignments", "an assignment on a line of its own",
    "its declaration before it", "one grid", "the loop in a block of the kernel:",
    "an element for each iteration, or an update", "equations for what it computes",
)  # fmt: skip
"""How the hints begin that are words, for no line is the likeliest there."""

SILENT = ("syntax error:", "'__")
"""How mistakes begin that have no hint: Python's own, and names that no line needs."""

WHOLE_STATEMENTS = "decides about whole lines"
"""A mistake whose hint stands for an `if` with its lines; tests/unit/lang compiles it."""

ELSEWHERE = (
    "is an array; only scalars have defaults", "ends without", "'return' names", "is an extent:",
    "asserts something", "here and f32[N] in the signature", "takes no argument by name",
    "takes a generator", "'async' is not", "the value is", "'in' and 'is'", "is private to an",
    "has no elements",
)  # fmt: skip
"""Mistakes of a name or word that is not in the text they are about, but beside it."""


@cache
def of(text: str) -> tuple[Mistake, ...]:
    return mistakes(text)


def test_every_refusal_has_an_example() -> None:
    """A new refusal wants a row in `tests/documents`, which `docs/errors.md` then shows."""
    reached = frozenset[Site]().union(*(examined(x)[1] for x in EXAMPLES))
    missing = [
        f"{site.file}:{site.line} {words}"
        for site, words in sites().items()
        if site not in reached and not words.startswith(tuple(UNREACHED))
    ]

    assert missing == []


def test_the_list_of_what_no_example_reaches_is_short() -> None:
    reached = frozenset[Site]().union(*(examined(x)[1] for x in EXAMPLES))
    left = [words for site, words in sites().items() if site not in reached]
    unused = [k for k in UNREACHED if not any(words.startswith(k) for words in left)]

    assert unused == []
    assert len(left) == len(UNREACHED)


@pytest.mark.parametrize("text", CELLS, ids=range(len(CELLS)))
def test_a_cause_is_one_mistake(text: str) -> None:
    assert [m.message for m in of(text)][1:] == []


@pytest.mark.parametrize("text", CELLS, ids=range(len(CELLS)))
def test_a_hint_is_a_line_that_mends_or_known_words(text: str) -> None:
    """The lines of hints are put into the text, one after the other, until it is taken."""
    for _ in range(8):
        found = mistakes(text)
        if not found or WHOLE_STATEMENTS in found[0].message:
            return
        new = mended(text, found[0])
        if new is None:
            said = found[0].hint
            assert said.startswith(WORDS) if said else found[0].message.startswith(SILENT)
            return
        assert found[0].message not in [m.message for m in mistakes(new)], found[0].render()
        text = new
    assert mistakes(text) == ()


@pytest.mark.parametrize("text", CELLS, ids=range(len(CELLS)))
def test_a_caret_stands_under_what_is_wrong(text: str) -> None:
    """The span is whole words of one line, and what the message names first is in it."""
    for mistake in of(text):
        if mistake.span is None:
            assert mistake.message.startswith(("the text has", "nested too deeply"))
            continue
        number, column = mistake.span.position
        line, said = mistake.span.source.line(number), mistake.span.text
        named = re.match(r"'([^']+)'", mistake.message)

        assert said.strip() == said != ""
        assert said.split("\n")[0] in line
        assert not re.search(r"\w\Z", line[: column - 1]) or not re.match(r"\w", said)
        assert not re.match(r"\w", line[column - 1 + len(said) :]) or not re.search(r"\w\Z", said)
        if named is not None and not any(x in mistake.message for x in ELSEWHERE):
            assert named[1] in " ".join(said.split())
