"""How completion and explanations reach IPython and its kernel.

A terminal completes through a matcher of IPython's completer. A matcher cannot say "nothing fits
here", for IPython then offers Python's names, which mean nothing in a cell; and for `Shift+Tab`
IPython is asked for a name, never with the cell around it. So in a notebook the kernel's
`do_complete` and `do_inspect` are asked here first. Gone when IPython has a place for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from workbench.completion.reading import read_cell
from workbench.completion.surroundings import Option, Surroundings

if TYPE_CHECKING:
    from workbench.completion.places import Offer

MATCHER = "workbench"
"""The name of the matcher in IPython's own settings, such as `disable_matchers`."""

Reply = dict[str, Any]


def attach(shell: Any, options: tuple[Option, ...]) -> None:
    """Complete and explain `%%wgpu_kernel` cells of a shell; again in place of an earlier call."""

    def around() -> Surroundings:
        return Surroundings(options, shell.user_ns)

    others = [m for m in shell.Completer.custom_matchers if _name(m) != MATCHER]
    shell.Completer.custom_matchers = [*others, matcher(around)]
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        kernel.do_complete = completion(_python(kernel.do_complete), around)
        kernel.do_inspect = inspection(_python(kernel.do_inspect), around)


def matcher(around: Callable[[], Surroundings]) -> Any:
    """The matcher: silent outside of the cells, alone inside them where it has something."""

    @context_matcher(identifier=MATCHER, priority=1000)
    def match(context: CompletionContext) -> Mapping[str, Any]:
        lines = context.full_text.split("\n")[: context.cursor_line]
        offset = sum(len(line) + 1 for line in lines) + context.cursor_position
        found = _offer(context.full_text, offset, around())
        if found is None:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(c.text, type=c.kind) for c in found.candidates],
            "matched_fragment": found.fragment,
            "suppress": True,
            "ordered": True,
        }

    return match


def completion(python: Callable[..., Any], around: Callable[[], Surroundings]) -> Any:
    """A `do_complete` for the cell language, which leaves all else to the one it had."""

    def complete(code: str, cursor_pos: int | None = None) -> Any:
        end = len(code) if cursor_pos is None else cursor_pos
        found = _offer(code, end, around())
        if found is None:
            return python(code, cursor_pos)
        start = end - len(found.fragment)
        place = {"start": start, "end": end, "signature": ""}
        kinds = [{**place, "text": c.text, "type": c.kind} for c in found.candidates]
        return {
            "status": "ok",
            "matches": [c.text for c in found.candidates],
            "cursor_start": start,
            "cursor_end": end,
            "metadata": {"_jupyter_types_experimental": kinds},
        }

    complete.python = python  # type: ignore[attr-defined]
    return complete


def inspection(python: Callable[..., Any], around: Callable[[], Surroundings]) -> Any:
    """A `do_inspect` that explains the cell language, and leaves all else to the one it had."""

    def inspect(code: str, cursor_pos: int, *rest: Any, **options: Any) -> Any:
        cell = read_cell(code)
        if cell is None:
            return python(code, cursor_pos, *rest, **options)
        from workbench.completion.explain import explain  # noqa: PLC0415  (loads the language)

        variable = _in_braces(code, cursor_pos)
        if variable:
            return python(variable, len(variable), *rest, **options)
        text = explain(cell, cursor_pos, around())
        if text is None and cursor_pos <= cell.head:
            return python(code, cursor_pos, *rest, **options)
        shown = {} if text is None else {"text/plain": text}
        return {"status": "ok", "found": text is not None, "data": shown, "metadata": {}}

    inspect.python = python  # type: ignore[attr-defined]
    return inspect


def _offer(text: str, offset: int, around: Surroundings) -> Offer | None:
    """What can stand at an offset, None outside of what the cell language says."""
    cell = read_cell(text)
    if cell is None or offset <= cell.head:
        return None
    from workbench.completion.places import offer  # noqa: PLC0415  (loads the language)

    return offer(cell, offset, around)


def _python(found: Any) -> Any:
    """The method of the kernel itself, below an earlier `attach`."""
    return getattr(found, "python", found)


def _in_braces(code: str, offset: int) -> str:
    """The name of the Python variable between the double braces at an offset."""
    for start, end in _braces(code):
        if start <= offset <= end:
            return code[start:end].strip()
    return ""


def _braces(code: str) -> Iterator[tuple[int, int]]:
    place = code.find("{{")
    while place >= 0:
        end = code.find("}}", place)
        if end < 0:
            return
        yield place + 2, end
        place = code.find("{{", end)


def _name(found: Any) -> str:
    return getattr(found, "matcher_identifier", "")
