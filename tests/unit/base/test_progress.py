"""How far a long run is: one line, after a second, where somebody looks, and gone at the end."""

from __future__ import annotations

import io
import threading

import pytest

from workbench.base import progress
from workbench.base.progress import Board, Standing, Terminal


class Said:
    """A screen that keeps what it was told, and the clock that it is seen with."""

    stop = "stop it so"

    def __init__(self) -> None:
        self.words: list[str] = []
        self.shares: list[float | None] = []
        self.number = 0
        self.now = 0.0
        self.board = Board(lambda: self, lambda: self.now)

    def show(self, words: str, share: float | None, number: int) -> None:
        self.words.append(words)
        self.shares.append(share)
        self.number = number


def test_what_ends_within_a_second_says_nothing() -> None:
    said = Said()
    with said.board.task("waiting") as task:
        said.now = 0.9
        task.at(Standing(1, 9, "turns"))

    assert said.words == []


def test_a_line_is_drawn_after_a_second_and_goes_at_the_end() -> None:
    said = Said()
    with said.board.task("waiting for 'k'") as task:
        for said.now in (1.0, 1.1, 1.3):
            task.at(Standing(int(10000 * said.now), 20000, "turns"))

    assert said.words == [
        "waiting for 'k': 10,000 of 20,000 turns · 1 s · stop it so",
        "waiting for 'k': 13,000 of 20,000 turns · 1 s · stop it so",
        "",
    ]


def test_a_task_inside_another_stands_behind_it() -> None:
    said = Said()
    with said.board.task("checking 'k'") as outer:
        outer.at(Standing(2, 9, "stages"))
        said.now = 4.0
        with said.board.task("running 'k'") as inner:
            inner.at(Standing(7, None, "rounds"))
        said.now = 5.0
        outer.at(Standing(3, 9, "stages"))

    assert said.words == [
        "checking 'k': 2 of 9 stages · running 'k': 7 rounds · 4 s · stop it so",
        "checking 'k': 3 of 9 stages · 5 s · stop it so",
        "",
    ]


def test_where_nothing_is_counted_only_the_seconds_go_on() -> None:
    said = Said()
    with said.board.task("waiting") as task:
        said.now = 2.0
        task.at(Standing())
        said.now = 3.0
        task.at(Standing(0, 1, "dispatches"))

    assert said.words == ["waiting · 2 s · stop it so", "waiting · 3 s · stop it so", ""]


def test_an_error_takes_the_line_away() -> None:
    said = Said()

    def interrupted() -> None:
        with said.board.task("waiting") as task:
            said.now = 2.0
            task.at(Standing())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert said.words[-1] == ""
    said.board.look()
    assert len(said.words) == 2


def test_what_another_thread_does_meanwhile_is_not_drawn() -> None:
    said = Said()

    def beside() -> None:
        with said.board.task("beside") as other:
            other.at(Standing())

    with said.board.task("waiting") as task:
        said.now = 2.0
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
        task.at(Standing())

    assert said.words == ["waiting · 2 s · stop it so", ""]


def test_a_terminal_has_one_line_that_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr(drawn, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", drawn)
    clock = iter((0.0, 2.0))
    with Board(clock=lambda: next(clock)).task("waiting") as task:
        task.at(Standing(1, 2, "turns"))

    assert drawn.getvalue() == (
        f"\r[##########..........] waiting: 1 of 2 turns · 2 s · {Terminal.stop}\x1b[K\r\x1b[K"
    )


def test_what_is_no_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr("sys.stderr", drawn)
    clock = iter((0.0, 2.0))
    with Board(clock=lambda: next(clock)).task("waiting") as task:
        task.at(Standing(1, 2, "turns"))

    assert drawn.getvalue() == ""
    assert progress.terminal() is None


def test_the_share_of_a_task_counts_what_goes_on_inside_it() -> None:
    said = Said()
    with said.board.task("sweeping N") as outer:
        outer.at(Standing(1, 4, "points"))
        with said.board.task("comparing 2 entries") as inner:
            said.now = 2.0
            inner.at(Standing(6, None, "rounds", 0.5))
        said.now = 3.0
        outer.at(Standing(2, 4, "points"))
    with said.board.task("waiting") as task:
        said.now = 5.0
        task.at(Standing(3, None, "rounds"))

    assert said.shares == [1.5 / 4, 0.5, None, None, None]


def test_who_looks_stops_it_from_another_thread_at_the_next_telling() -> None:
    said = Said()

    def stopped() -> None:
        with said.board.task("comparing") as task:
            said.now = 2.0
            task.at(Standing(1, None, "rounds"))
            thread = threading.Thread(target=lambda: said.board.stop(said.number))
            thread.start()
            thread.join()
            task.at(Standing(2, None, "rounds"))

    with pytest.raises(KeyboardInterrupt):
        stopped()

    assert said.words[-1] == ""


def test_a_stop_that_comes_too_late_stops_nothing_else() -> None:
    said = Said()
    with said.board.task("comparing") as task:
        said.now = 2.0
        task.at(Standing(1, None, "rounds"))
    said.board.stop(said.number)
    with said.board.task("another") as task:
        said.now = 5.0
        task.at(Standing(1, None, "rounds"))

    assert said.words[-2].startswith("another")
