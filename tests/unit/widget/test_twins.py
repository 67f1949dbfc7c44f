"""The panel without a page: what both twins say, that they are safe to show, and small."""

from html.parser import HTMLParser

import numpy as np

from tests.unit.widget import example
from workbench.widget.messages import Caret, Failure, MarkedText, PanelState, Run, Stage
from workbench.widget.states import output_of
from workbench.widget.twins import html_twin, text_twin

SAVED_MOST = 40_000


class Elements(HTMLParser):
    """The names of the elements of a text, and its addresses; fails where one is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"br", "img"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_text_holds_source_schedule_code_checks_and_run() -> None:
    text = text_twin(example.matmul(last="cross"))

    assert "   2 |     C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))" in text
    assert "for i_o in parallel(8):  # workgroup.y" in text
    assert "@compute @workgroup_size(8, 8, 1)" in text
    assert "  ✓ loops       2.40 ms  executed at M=64" in text
    assert "  ✗ wgsl        3.20 ms  executed at M=64, N=64, K=64; C[0, 3] is 1.25" in text
    assert "    unchanged: simplified" in text
    assert "compile 13.6 ms · transfer 1.20 ms · run 4.70 ms" in text
    assert "  C float32[64, 64]  min" in text


def test_both_twins_say_which_array_may_differ_from_run_to_run() -> None:
    state = example.matmul()
    words = "C may differ from run to run in its last digits: it is an example"

    assert f"  {words}\n" in text_twin(state)
    assert words in Elements(html_twin(state)).words


def test_the_html_says_the_same_words() -> None:
    words = Elements(html_twin(example.matmul())).words

    for said in (
        "C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))",
        "c += A[i_o * 8 + i_i, k]",
        "var<storage, read> A: array<f32>",
        "5 agree",
        "largest difference 2.4e-07",
        "software adapter",
    ):
        assert said in words


def test_the_html_has_no_script_and_loads_nothing() -> None:
    found = Elements(html_twin(example.matmul()))

    assert "script" not in found.names
    assert [address[:22] for address in found.addresses] == ["data:image/png;base64,"]


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    evil = "<img src=x onerror=alert(1)>"
    failure = Failure("<b>", evil, evil, (MarkedText(evil, evil, (Caret(1, 0, 4, evil),)),))
    state = PanelState(evil, (Stage("source", evil, note=evil),), failure=failure)
    found = Elements(html_twin(state))

    assert "img" not in found.names
    assert found.words.count(evil) == 8


def test_carets_stand_under_their_characters_also_after_wide_ones() -> None:
    text = "s = '漢字' + z"
    state = PanelState(
        "",
        failure=Failure("SourceError", "no", "w", (MarkedText("cell", text, (Caret(1, 11, 1),)),)),
    )

    lines = text_twin(state).split("\n")
    assert lines[2:4] == [f"   1 | {text}", "     | " + " " * 13 + "^"]
    assert lines[-1] == "  try: w"


def test_carets_of_one_line_share_it() -> None:
    text = text_twin(example.refused())

    assert text.count("x[i, j - 1] + x[i, j]") == 1
    assert text.count("^ ") == 2


def test_a_saved_panel_is_small_however_large_the_program() -> None:
    line = "        <value> = load float, ptr %address, align 4  ; one of many\n"
    large = [Stage(name, line * 5_000) for name in ("source", "scheduled", "llvm", "asm")]
    noise = np.random.default_rng(1).random((512, 512)) * 3
    run = Run("native", "none", "", outputs=tuple(output_of(name, noise) for name in "ABCD"))
    state = PanelState("large", tuple(large), run=run)

    text, html = text_twin(state), html_twin(state)
    assert len(text.encode()) + len(html.encode()) < SAVED_MOST
    assert "more lines" in text
    assert "more lines" in html


def test_nothing_to_show_is_short() -> None:
    assert text_twin(PanelState("")) == ""
