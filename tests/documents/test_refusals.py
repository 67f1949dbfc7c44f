"""Every place that refuses a text or a call is shown by an example; each example is one mistake."""

from __future__ import annotations

from collections.abc import Mapping

from tests.documents.examples import Call, Cell
from tests.documents.pages import examined
from tests.documents.refusals import GROUPS, NOT_YET
from tests.documents.sites import Site, sites

EXAMPLES: tuple[Cell | Call, ...] = (
    *(example for group in GROUPS for example in group.examples),
    *(cell for _, cell in NOT_YET),
)

UNREACHED: Mapping[str, str] = {
    "linked: CodegenError": "tests/unit/codegen/test_wasm.py makes such code by hand",
    "_imports: CodegenError": "tests/unit/codegen/test_wasm.py makes such code by hand",
    "_relocations: CodegenError": "LLVM asks for such addresses in no code that is known",
    "wgsl_type: CodegenError": "check_held refuses these dtypes before code is written",
    "spelling: CodegenError": "the table spells every operation that lang lets through",
    "_number: CodegenError": "lower refuses bounds that depend on data before",
    "_missing_mistake: Mistake": "isl gave up on no text that is known",
    "_tree: SourceError(f'the text cannot be read": "no file can hold half a surrogate",
    "_refuse_forms: c.wrong(node, 'type parameters": "only Python 3.12 reads them",
    "_grid: CodegenError": "the step 'parallelize' refuses such loops before",
    "visit: CodegenError": "the step 'parallelize' refuses such loops before",
    "_refuse_barrier_inside: CodegenError": "the step 'cache' refuses such places before",
    "at: OpenDimError(f'{graph.name}: an access": "no text is known that needs more checks then",
    'check_dims: CallError(f"{graph.name}: no value': "a kernel leaves what is missing open",
    "check_known: CallError": "signatures have every dim alone as an extent",
}
"""Sites that no example reaches, by how they begin, each with the reason."""


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
