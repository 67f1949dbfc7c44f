"""The panel as people use it, in a plain page: pointer, keyboard, widths and colours."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.lab import ROOT, SCREENS, listen


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where js/dev/index.html is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=ROOT)) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/js/dev/index.html"
        server.shutdown()
        serving.join()


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page that fails the test with the errors that its scripts have reported."""
    problems: list[str] = []
    context = browser.new_context(
        viewport={"width": 1040, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    listen(page, problems)
    yield page
    context.close()
    assert problems == []


def show(page: Page, address: str, *, fixture: str = "matmul", width: int = 1000) -> Locator:
    """Draw a fixture; gives the panel."""
    page.goto(f"{address}?fixture={fixture}&width={width}")
    page.wait_for_selector("body[data-ready]")
    return page.locator(".wb-panel")


def lit(panel: Locator, place: int) -> list[str]:
    """What is lit in a pane, counted from 0."""
    return panel.locator(".wb-pane").nth(place).locator(".wb-lit, .wb-lit-weak").all_inner_texts()


def point_at(page: Page, panel: Locator, place: int, words: str, *, click: bool = False) -> None:
    """Put the pointer on the first character of some words in a pane."""
    box = (
        panel.locator(".wb-pane")
        .nth(place)
        .evaluate(
            """(pane, words) => {
            const walk = document.createTreeWalker(pane.querySelector('.cm-content'), 4);
            const nodes = [];
            while (walk.nextNode()) nodes.push(walk.currentNode);
            const all = nodes.map((node) => node.data).join('');
            let at = all.indexOf(words);
            for (const node of nodes) {
                if (at < node.length) {
                    const range = document.createRange();
                    range.setStart(node, at);
                    range.setEnd(node, at + 1);
                    const { x, y, width, height } = range.getBoundingClientRect();
                    return [x + width / 2, y + height / 2];
                }
                at -= node.length;
            }
        }""",
            words,
        )
    )
    page.mouse.move(*box)
    if click:
        page.mouse.click(*box)


def test_the_pointer_lights_what_belongs_together_in_every_stage(plain: Page, address: str) -> None:
    panel = show(plain, address)
    point_at(plain, panel, 0, "B[k, j]")

    expect(panel.locator(".wb-line")).to_contain_text("B[k, j] in source; also graph 1, loops 1")
    assert (lit(panel, 0), lit(panel, 1)) == (["B[k, j]"], ["B[k * 64u + j]"])
    assert panel.locator(".wb-tab[data-stage=kernel] .wb-rail-lit").inner_text() == "1"


def test_a_click_keeps_the_selection_while_stages_change(plain: Page, address: str) -> None:
    panel = show(plain, address)
    point_at(plain, panel, 1, "A[i * 64u + k]", click=True)
    plain.mouse.move(5, 5)
    panel.get_by_role("tab", name="scheduled").click()

    assert lit(panel, 1) == ["A[i_o * 8 + i_i, k]"]
    point_at(plain, panel, 1, "A[i_o * 8", click=True)
    plain.keyboard.press("Escape")
    assert lit(panel, 1) == []


def test_pointing_beside_the_text_lights_nothing(plain: Page, address: str) -> None:
    panel = show(plain, address)
    point_at(plain, panel, 0, "return C")
    box = panel.locator(".wb-pane").nth(0).locator(".cm-content").bounding_box()
    assert box is not None
    plain.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 8)

    expect(panel.locator(".wb-line")).to_contain_text("point at a part")
    assert lit(panel, 0) == []


def test_everything_is_reached_by_keyboard(plain: Page, address: str) -> None:
    panel = show(plain, address)
    panel.get_by_role("tab", name="wgsl").focus()
    plain.keyboard.press("Home")
    plain.keyboard.press("ArrowDown")

    expect(panel.get_by_role("tab", name="graph")).to_be_focused()
    expect(panel.get_by_role("tab", name="graph")).to_have_attribute("aria-selected", "true")

    panel.locator(".cm-content").nth(1).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        plain.keyboard.press(key)
    expect(panel.get_by_role("status")).to_contain_text("in graph; from source 1; also loops 1")


def test_the_keyboard_finds_words_in_a_pane(plain: Page, address: str) -> None:
    panel = show(plain, address)
    panel.locator(".cm-content").nth(1).focus()
    plain.keyboard.press("Control+f")
    plain.keyboard.type("64u")

    expect(panel.locator(".cm-searchMatch")).to_have_count(4)


def test_copy_takes_the_whole_text(plain: Page, address: str) -> None:
    panel = show(plain, address)
    panel.get_by_role("button", name="copy").nth(1).click()
    expect(panel.get_by_role("button", name="copied")).to_be_visible()
    copied = plain.evaluate("() => navigator.clipboard.readText()")

    assert copied.startswith("// C = matmul(A, B)")
    assert copied.endswith("C[i * 64u + j] = c;\n}\n")


@pytest.mark.parametrize(("width", "columns"), [(1000, 2), (560, 1)])
def test_the_difference_of_two_stages_fits_the_width(
    plain: Page, address: str, width: int, columns: int
) -> None:
    panel = show(plain, address, width=width)
    panel.get_by_role("combobox").first.select_option("loops") if width > 700 else None
    panel.get_by_role("button", name="diff").click()

    expect(panel.locator(".wb-diff .cm-content")).to_have_count(columns)
    assert panel.locator(".wb-diff .cm-changedLine, .wb-diff .cm-deletedChunk").count() > 0


def test_one_pane_shows_the_stage_of_the_tab(plain: Page, address: str) -> None:
    panel = show(plain, address, width=560)
    panel.get_by_role("tab", name="loops").click()

    expect(panel.locator(".cm-content:visible")).to_have_count(1)
    expect(panel.locator(".cm-content:visible")).to_contain_text("for i in range(64):")


def test_passes_that_changed_nothing_are_shown_when_asked_for(plain: Page, address: str) -> None:
    panel = show(plain, address)
    expect(panel.get_by_role("tab", name="simplified")).to_be_hidden()
    panel.get_by_role("button", name="1 unchanged").click()

    expect(panel.get_by_role("tab", name="simplified")).to_be_visible()


def test_the_panel_is_never_wider_than_its_place(plain: Page, address: str) -> None:
    for width in (320, 560, 1000):
        panel = show(plain, address, width=width)
        overflow = panel.evaluate("(each) => each.scrollWidth - each.clientWidth")

        assert overflow <= 0, width


@pytest.mark.parametrize("fixture", ["matmul", "refused"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(
    plain: Page, address: str, fixture: str, scheme: str
) -> None:
    """Contrast of at least 4.5 for words and 3 for line numbers, in both schemes."""
    plain.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType]
    panel = show(plain, address, fixture=fixture)
    poor = panel.evaluate(CONTRAST)
    SCREENS.mkdir(parents=True, exist_ok=True)
    plain.screenshot(path=SCREENS / f"panel_{fixture}_{scheme}.png")

    assert poor == []


CONTRAST = """(panel) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const ground = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = rgba(getComputedStyle(each).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const light = (colour) => colour.slice(0, 3)
        .map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const poor = [];
    const walk = document.createTreeWalker(panel, 4);
    while (walk.nextNode()) {
        const element = walk.currentNode.parentElement;
        if (walk.currentNode.data.trim() === '' || !element.checkVisibility()) continue;
        if (element.closest('style, .wb-unseen, option')) continue;
        const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const least = element.closest('.cm-gutters') ? 3 : 4.5;
        if (contrast < least) poor.push(`${walk.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
    }
    return [...new Set(poor)];
}"""
