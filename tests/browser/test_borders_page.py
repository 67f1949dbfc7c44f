"""Arrays at the border of a page's GPU: layouts, conversions, and what never crosses."""

from __future__ import annotations

import pytest

from tests.end_to_end import borders
from workbench.runtime.browser import BrowserDevice


@pytest.mark.usefixtures("joined")
def test_what_stands_between_two_calls_never_leaves_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    borders.check_chain("browser", monkeypatch)


def test_a_chain_sends_no_byte_of_what_stands_between(joined: BrowserDevice) -> None:
    k = borders.wb.kernel(borders.RAMP)
    x = borders.wb.array(borders.BASE)
    k(k(x, on="browser"), on="browser").numpy()
    _, before = joined.traffic()
    y = k(k(x, on="browser"), on="browser")
    y.numpy()
    _, after = joined.traffic()

    assert borders.BASE.nbytes <= after - before < borders.BASE.nbytes + 2500


@pytest.mark.usefixtures("joined")
def test_an_argument_means_its_values_in_every_layout() -> None:
    borders.check_layouts("browser")


@pytest.mark.usefixtures("joined")
def test_conversions_are_made_once_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    borders.check_conversions("browser", monkeypatch)


@pytest.mark.usefixtures("joined")
def test_what_lies_in_panels_is_taken_so_and_converted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    borders.check_panels("browser", monkeypatch)


@pytest.mark.usefixtures("joined")
def test_who_does_not_take_panels_has_c_order() -> None:
    borders.check_panels_elsewhere("browser")
