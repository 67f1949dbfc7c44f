"""The panel without a page: as plain text for a terminal, as static HTML for a saved notebook.

Both are drawn from the same `PanelState` as the live panel. They hold the source, the scheduled
loops, the code and the run; the other stages are named with their checks. The HTML has no script
and nothing to load, reads well where its style is taken away (as GitHub does), and both are cut
to a size, so that a saved panel stays small.
"""

from __future__ import annotations

import html
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
from workbench.base.units import duration
from workbench.widget.messages import Caret, Failure, MarkedText, Output, PanelState, Run, Stage

TEXT_MOST = 3_000
"""Characters of one stage in the text twin."""
HTML_MOST = 5_000
"""Characters of one stage in the HTML twin."""
PICTURES_MOST = 2
"""Pictures in the HTML twin."""
SIGNS = {"tick": "✓", "cross": "✗", "pending": "…", "none": " "}


def text_twin(state: PanelState) -> str:
    """The panel as lines of text, at most about 12,000 characters."""
    parts = [[state.title]] if state.title else []
    if state.failure is not None:
        parts.append(_failure_lines(state.failure))
    for stage in _main_stages(state):
        kept, left = _cut(stage.text, TEXT_MOST)
        rest = [f"  … {left} more lines"] if left else []
        parts.append([_heading(stage), *_numbered(kept), *rest])
    if state.stages:
        parts.append(["stages", *_stage_table(state.stages)])
    if state.run is not None:
        parts.append(_run_lines(state.run))
    for each in state.pictures:
        kept, left = _cut(each.text, TEXT_MOST)
        parts.append([each.title, *kept.split("\n"), *([f"  … {left} more lines"] if left else [])])
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts)


def html_twin(state: PanelState) -> str:
    """The panel as one HTML element, at most about 30,000 characters."""
    parts = [f"<style>{STYLE}</style>"]
    if state.title:
        parts.append(f"<p><b>{html.escape(state.title)}</b></p>")
    if state.failure is not None:
        parts.append(_failure_html(state.failure))
    code = state.code
    parts += [
        _stage_html(stage, opened=stage is not code or len(state.stages) == 1)
        for stage in _main_stages(state)
    ]
    if state.stages:
        parts.append(_stages_html(state.stages))
    if state.run is not None:
        parts.append(_run_html(state.run))
    parts += [
        f"<details open><summary><b>{html.escape(each.title)}</b></summary>{each.html}</details>"
        for each in state.pictures
    ]
    return f'<div class="wb-twin">{"".join(parts)}</div>'


def _main_stages(state: PanelState) -> tuple[Stage, ...]:
    """Source, scheduled loops and code, those that are there, each once."""
    found = (state.stage("source"), state.stage("scheduled"), state.code)
    return tuple(dict.fromkeys(stage for stage in found if stage is not None))


def _heading(stage: Stage) -> str:
    return f"{stage.name}: {stage.note}" if stage.note else stage.name


def _cut(text: str, most: int) -> tuple[str, int]:
    """The first lines of a text, at most `most` characters, and how many lines are left out."""
    text = text.rstrip("\n")
    if len(text) <= most:
        return text, 0
    end = text.rfind("\n", 0, most)
    kept = text[: end if end > 0 else most]
    return kept, text.count("\n") - kept.count("\n")


def _numbered(text: str) -> list[str]:
    return [f"{number:>4} | {line}" for number, line in enumerate(text.split("\n"), 1)]


def _stage_table(stages: Sequence[Stage]) -> list[str]:
    """One line a stage: its check, name, time and the words of the check."""
    shown = [stage for stage in stages if stage.changed]
    width = max((len(stage.name) for stage in shown), default=0)
    lines = [
        f"  {SIGNS[stage.check.state]} {stage.name:<{width}}"
        f"  {_time(stage):>8}  {stage.check.words}"
        for stage in shown
    ]
    unchanged = [stage.name for stage in stages if not stage.changed]
    return [*lines, f"    unchanged: {', '.join(unchanged)}"] if unchanged else lines


def _time(stage: Stage) -> str:
    return duration(stage.seconds) if stage.seconds > 0 else ""


def _run_lines(run: Run) -> list[str]:
    times = _times(run)
    lines = ["run", f"  {_device(run)}"]
    if times:
        lines.append("  " + " · ".join(f"{name} {time}" for name, time in times))
    lines += [
        f"  {SIGNS[each.check.state]} {each.device}  {each.check.words}" for each in run.agreements
    ]
    lines += [f"  {remark}" for remark in run.remarks]
    for output in run.outputs:
        lines.append(f"  {_described(output)}")
        lines += [f"    {row}" for row in aligned(output.rows)]
    return lines


def _device(run: Run) -> str:
    words = [f"{run.device} {run.adapter}".strip(), run.reason, run.caution]
    return " · ".join(word for word in words if word)


def _times(run: Run) -> list[tuple[str, str]]:
    measured = (
        ("compile", run.compile_seconds),
        ("transfer", run.transfer_seconds),
        ("run", run.run_seconds),
    )
    return [(name, duration(seconds)) for name, seconds in measured if seconds is not None]


def _described(output: Output) -> str:
    shape = ", ".join(map(str, output.shape))
    numbers = " · ".join(f"{name} {value}" for name, value in output.numbers)
    return f"{output.name} {output.dtype}[{shape}]  {numbers}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words in columns, aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True))
        for row in rows
    ]


def _failure_lines(failure: Failure) -> list[str]:
    lines = [f"{failure.kind}: {failure.message}"]
    for text in failure.texts:
        lines += [f"  in {text.name}", *_placed(text)]
    if failure.hint:
        lines.append(f"  try: {failure.hint}".replace("\n", "\n       "))
    return lines


def _placed(text: MarkedText) -> Iterable[str]:
    """The lines that carets point into, each followed by its carets."""
    lines = text.text.split("\n")
    shown = 0
    for caret in sorted(text.carets, key=lambda each: (each.line, each.column)):
        line = lines[caret.line - 1] if 0 < caret.line <= len(lines) else ""
        if caret.line != shown:
            yield f"{caret.line:>4} | {line}"
            shown = caret.line
        yield f"     | {_underline(line, caret)} {caret.words}".rstrip()


def _underline(line: str, caret: Caret) -> str:
    """Blanks and carets as wide as the characters above them."""
    before = line[: caret.column]
    within = line[caret.column : caret.column + caret.length]
    return " " * _cells(before) + "^" * max(1, _cells(within))


def _cells(text: str) -> int:
    """Columns that a terminal gives to a text."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    joining = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) + wide - joining


def _stage_html(stage: Stage, *, opened: bool) -> str:
    kept, left = _cut(stage.text, HTML_MOST)
    rest = f"<p>… {left} more lines</p>" if left else ""
    return (
        f"<details{' open' if opened else ''}><summary><b>{html.escape(stage.name)}</b> "
        f"{html.escape(stage.note)}</summary><pre>{html.escape(kept)}</pre>{rest}</details>"
    )


def _stages_html(stages: Sequence[Stage]) -> str:
    rows = "".join(
        f"<tr><td>{SIGNS[stage.check.state]}</td><td>{html.escape(stage.name)}</td>"
        f'<td class="wb-number">{_time(stage)}</td><td>{html.escape(stage.check.words)}</td></tr>'
        for stage in stages
        if stage.changed
    )
    states = [stage.check.state for stage in stages if stage.changed]
    ticks, crosses = states.count("tick"), states.count("cross")
    counts = [f"{ticks} agree" if ticks else "", f"{crosses} differ" if crosses else ""]
    words = ", ".join(word for word in counts if word)
    return (
        f"<details><summary><b>stages</b> {words}</summary>"
        f"<table><tbody>{rows}</tbody></table></details>"
    )


def _run_html(run: Run) -> str:
    times = " · ".join(f"{name} <b>{time}</b>" for name, time in _times(run))
    agreements = " · ".join(
        html.escape(f"{SIGNS[each.check.state]} {each.device} {each.check.words}".strip())
        for each in run.agreements
    )
    remarks = map(html.escape, run.remarks)
    lines = [f"<b>run</b> {html.escape(_device(run))}", times, agreements, *remarks]
    outputs = "".join(
        _output_html(output, picture=place < PICTURES_MOST)
        for place, output in enumerate(run.outputs)
    )
    return f"<p>{'<br>'.join(line for line in lines if line)}</p>{outputs}"


def _output_html(output: Output, *, picture: bool) -> str:
    words = html.escape(_described(output))
    image = ""
    if picture and output.thumbnail is not None:
        image = f'<img src="{output.thumbnail}" alt="{words}" width="168">'
    rows = html.escape("\n".join(aligned(output.rows)))
    return f'<p>{words}</p><div class="wb-row">{image}<pre>{rows}</pre></div>'


def _failure_html(failure: Failure) -> str:
    texts = "".join(
        f"<p>in {html.escape(text.name)}</p><pre>{html.escape(chr(10).join(_placed(text)))}</pre>"
        for text in failure.texts
    )
    lines = html.escape(failure.hint).replace("\n", "<br>")
    hint = f"<p>try: <code>{lines}</code></p>" if failure.hint else ""
    message = html.escape(failure.message).replace("\n", "<br>")
    return f"<p><b>{html.escape(failure.kind)}</b>: {message}</p>{texts}{hint}"


STYLE = (
    ".wb-twin{border:1px solid rgba(128,128,128,.4);border-radius:4px;padding:6px 12px;"
    "font-size:13px;color:var(--jp-content-font-color1,inherit)}"
    ".wb-twin p,.wb-twin details{margin:4px 0}"
    ".wb-twin summary{cursor:pointer}"
    ".wb-twin pre{margin:4px 0;padding:6px 8px;overflow-x:auto;line-height:1.4;color:inherit;"
    "background:rgba(128,128,128,.1);font-size:12px}"
    ".wb-twin table{border-collapse:collapse;margin:4px 0;color:inherit}"
    ".wb-twin td{padding:1px 10px 1px 0;text-align:left;border:0}"
    ".wb-twin td.wb-number{text-align:right;font-variant-numeric:tabular-nums}"
    ".wb-twin .wb-row{display:flex;gap:12px;align-items:flex-start;flex-wrap:wrap}"
    ".wb-twin img{image-rendering:pixelated}"
)
