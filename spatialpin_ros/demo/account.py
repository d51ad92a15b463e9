# SPDX-License-Identifier: Apache-2.0
"""The live account of a run in a terminal: one line per step, readable in 80 columns and when piped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from spatialpin_ros.demo.workcell import Progress

PIPED_WIDTH = 80
NAME_WIDTH, TIME_WIDTH = 12, 8
MARKS = {"good": ("✓", "green"), "bad": ("✗", "red"), "step": ("·", "dim"), "stage": ("▸", "dim")}
ASCII_MARKS = {"good": "+", "bad": "x", "step": ".", "stage": ">"}


def make_console(*, stderr: bool = False) -> Console:
    """A console that writes no control codes, and lines of 80 columns, when it is not a terminal."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPED_WIDTH)


class Step:
    """A running step; set `note` to say what came of it, `show` what goes on."""

    def __init__(self, name: str, spinner: Spinner | None = None) -> None:
        self.name, self.note, self.good = name, "", True
        self._spinner = spinner
        self._started_s = time.monotonic()
        self._ended_s: float | None = None

    @property
    def seconds(self) -> float:
        return (self._ended_s or time.monotonic()) - self._started_s

    def show(self, text: str) -> None:
        """Change what stands beside the spinner."""
        if self._spinner is not None:
            self._spinner.update(text=f" {self.name}: {text}")

    def end(self) -> None:
        self._ended_s = time.monotonic()


class Account:
    """Prints a run as it happens."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._ascii = not console.encoding.lower().startswith("utf")

    def heading(self, title: str, facts: Sequence[str] = ()) -> None:
        self.console.print(Text.assemble((title, "bold"), *((f"  {fact}", "dim") for fact in facts)))

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show a spinner while the body runs, then one line with how long it took and what came of it."""
        spinner = Spinner("dots", text=f" {name}")
        step = Step(name, spinner)
        try:
            with self._live(spinner):
                yield step
        except BaseException:
            step.good = False
            raise
        finally:
            step.end()
            self._line("good" if step.good else "bad", name, step.seconds, step.note)

    @contextmanager
    def execution(self) -> Iterator[StageLines]:
        """Show the stages of an execution as they run."""
        with StageLines(self) as lines:
            yield lines

    def remark(self, text: str) -> None:
        """Print a line under the last step."""
        self._line("step", "", None, text)

    def verdict(self, good: bool, verdict: str, text: str) -> None:
        self._line("good" if good else "bad", verdict, None, text, style="bold green" if good else "bold red")

    def _live(self, spinner: Spinner) -> Live:
        live = Live(spinner, console=self.console, transient=True, refresh_per_second=10)
        live.auto_refresh = self.console.is_terminal
        return live

    def _line(self, mark: str, name: str, seconds: float | None, text: str, style: str = "") -> None:
        self.console.print(self.grid(mark, name, "" if seconds is None else f"{seconds:.2f} s", text, style))

    def grid(self, mark: str, name: str, duration: str, text: str, style: str = "") -> Table:
        """One line of the account: mark, name, duration and a text that wraps under itself."""
        sign, color = MARKS[mark]
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        if len(name) > NAME_WIDTH:
            text, name = f"[{style or 'bold'}]{escape(name)}[/]  {escape(text)}", ""
        else:
            text = escape(text)
        grid.add_column(width=NAME_WIDTH)
        grid.add_column(width=TIME_WIDTH, justify="right")
        grid.add_column(ratio=1)
        shown = ASCII_MARKS[mark] if self._ascii else sign
        grid.add_row(Text(shown, color), Text(name, style), Text(duration, "dim"), text)
        return grid


class StageLines:
    """One line per stage, the running one with a bar where there is a terminal."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._stage: Progress | None = None
        self._began_s, self._text = 0.0, ""
        self._live = Live(console=account.console, transient=True, refresh_per_second=8)
        self._live.auto_refresh = account.console.is_terminal

    def __enter__(self) -> StageLines:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._finish()

    def update(self, progress: Progress) -> None:
        changed = self._stage is None or (self._stage.stage, self._stage.text) != (
            progress.stage,
            progress.text,
        )
        if changed and not (self._stage is not None and self._stage.stage == progress.stage == "verify"):
            self._finish(progress.time_s)
            self._began_s, self._text = progress.time_s, progress.text
        self._stage = progress
        if self._account.console.is_terminal:
            self._live.update(self._running(progress))

    def _running(self, progress: Progress) -> Table:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=progress.share, width=24)
        grid.add_row(
            Text("▸", "cyan"),
            Text(f"{progress.stage:<12}"),
            Text(f"{progress.time_s - self._began_s:6.1f} s", "dim"),
            bar,
        )
        return grid

    def _finish(self, ended_s: float | None = None) -> None:
        if self._stage is not None:
            shown = self._stage
            lasted = (shown.time_s if ended_s is None else ended_s) - self._began_s
            grid = self._account.grid("stage", f" {shown.stage}", f"{lasted:.1f} s", self._text)
            self._account.console.print(grid)
            self._stage = None
