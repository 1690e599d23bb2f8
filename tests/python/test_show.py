"""``show`` and ``result(progress=True)``: the command line's bar in scripts, at prompts, in notebooks."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ktrdr_core
from ktrdr_core import DataManager, notebook
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import Domain, FakeSource
from pty_command import PtyCommand
from screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = "Loading AAPL 1d data (full mode)"


@pytest.fixture
def gated() -> Iterator[HostProcess]:
    with HostProcess(delay=0, gate=True) as service:
        yield service


def script(url: str, folder: Path, *lines: str) -> list[str]:
    """Begin a load, then do the lines."""
    head = f"""
        import asyncio, ktrdr_core
        data = ktrdr_core.DataManager({str(folder)!r}, {url!r}, env={{}})
        def start():
            return data.load_data("AAPL", "1d", "2001-01-01", "2012-12-31", mode="full")
    """
    return [sys.executable, "-c", textwrap.dedent(head) + "\n".join(lines)]


RESULT = "print(len(start().result(progress=True)), 'bars')"
SHOW = "load = start(); ktrdr_core.show(load); print(len(load.result()), 'bars')"
IN_A_LOOP = """
async def main():
    load = start()
    ktrdr_core.show(load)
    print(len(await load), 'bars')
asyncio.run(main())
"""


@pytest.mark.parametrize("code", [RESULT, SHOW, IN_A_LOOP])
def test_a_script_on_a_terminal_draws_the_bar_of_the_command_line(
    gated: HostProcess, tmp_path: Path, code: str
) -> None:
    gated.release(2)
    command = PtyCommand(command=script(gated.url, tmp_path, code), columns=80)
    command.wait_for(r"\[(2)/\d+\]")
    screen = Screen(80)
    screen.feed(command.text)
    bar, words = screen.lines()
    assert bar.startswith("AAPL 1d (full) ━")
    assert " % " in bar
    assert words.startswith(f"  {WORDS} [2/")
    gated.release()
    assert command.status(60) == 0, command.text
    screen = Screen(80)
    screen.feed(command.text)
    bar, printed = screen.lines()
    assert "100 % completed 3,017 bars" in bar
    assert printed == "3017 bars"
    # The cursor was hidden while the bar moved.
    assert command.text.rindex("\x1b[?25h") > command.text.rindex("\x1b[?25l")


TOGETHER = """
async def main():
    first, second = start(), data.load_data("MSFT", "1d", "2001-01-01", "2012-12-31", mode="full")
    ktrdr_core.show(first)
    ktrdr_core.show(second)
    print(len(await first) + len(await second), 'bars')
asyncio.run(main())
"""
IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
def load(symbol):
    load = data.load_data(symbol, "1d", "2001-01-01", "2012-12-31", mode="full")
    return len(load.result(progress=True))
with ThreadPoolExecutor(2) as pool:
    print(sum(pool.map(load, ["AAPL", "MSFT"])), 'bars')
"""


@pytest.mark.parametrize("code", [TOGETHER, IN_THREADS])
def test_several_that_are_shown_at_once_share_one_drawing(
    gated: HostProcess, tmp_path: Path, code: str
) -> None:
    command = PtyCommand(command=script(gated.url, tmp_path, code), columns=100)
    # Both are at work, and drawn, before either may end.
    gated.wait(held=2)
    command.wait_for(r"(MSFT 1d \(full\))")
    gated.release()
    assert command.status(60) == 0, command.text
    screen = Screen(100)
    screen.feed(command.text)
    *bars, last = screen.lines()
    assert sorted(bar.split(" ━")[0].strip() for bar in bars) == [
        "AAPL 1d (full)",
        "MSFT 1d (full)",
    ]
    assert all("100 % completed" in bar for bar in bars)
    assert last == "6034 bars"


@pytest.mark.parametrize("code", [RESULT, SHOW, IN_A_LOOP])
def test_a_script_in_a_log_has_its_lines_on_standard_error(
    gated: HostProcess, tmp_path: Path, code: str
) -> None:
    gated.release()
    done = subprocess.run(
        script(gated.url, tmp_path, code), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "3017 bars\n"
    lines = done.stderr.splitlines()
    assert any(line.startswith("AAPL 1d (full): loading segments") for line in lines), lines
    assert lines[-1] == "AAPL 1d (full): completed"
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("code", [RESULT, SHOW, IN_A_LOOP])
def test_a_script_that_nobody_hears_does_its_work(
    gated: HostProcess, tmp_path: Path, code: str, how: str
) -> None:
    gated.release()
    command = ["sh", "-c", f'exec "$@" {how}', "sh", *script(gated.url, tmp_path, code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "3017 bars\n"


def test_ctrl_c_in_result_cancels_and_says_so(gated: HostProcess, tmp_path: Path) -> None:
    gated.release(2)
    command = PtyCommand(command=script(gated.url, tmp_path, RESULT), columns=80)
    command.wait_for(r"\[(2)/\d+\]")
    gated.wait(held=1)
    command.press_ctrl_c()
    gated.wait(cancelled=1)
    command.status(60)
    assert "cancelling…" in command.text
    assert "cancelled" in command.text
    assert "KeyboardInterrupt" in command.text


def test_ctrl_c_in_show_ends_the_showing_and_leaves_the_work(
    gated: HostProcess, tmp_path: Path
) -> None:
    code = """
load = start()
try:
    ktrdr_core.show(load)
except KeyboardInterrupt:
    print(load.status, "(still)")
print(len(load.result()), 'bars')
"""
    gated.release(2)
    command = PtyCommand(command=script(gated.url, tmp_path, code), columns=80)
    command.wait_for(r"\[(2)/\d+\]")
    gated.wait(held=1)
    command.press_ctrl_c()
    command.wait_for(r"(running) \(still\)")
    gated.release()
    assert command.status(60) == 0, command.text
    assert "3017 bars" in command.text


def test_the_prompt_of_python_draws_it_too(gated: HostProcess, tmp_path: Path) -> None:
    gated.release(2)
    head = script(gated.url, tmp_path)[2]
    command = PtyCommand(command=[sys.executable, "-q", "-i", "-c", head], columns=80)
    command.wait_for("(>>> )")
    command.type(RESULT)
    command.wait_for(r"\[(2)/\d+\]")
    gated.release()
    command.wait_for("(3017) bars")
    command.type("exit()")
    assert command.status(60) == 0


@pytest.mark.slow
def test_ipython_on_a_terminal_shows_text_and_draws_the_bar(
    gated: HostProcess, tmp_path: Path
) -> None:
    head = script(gated.url, tmp_path)[2]
    file = tmp_path / "head.py"
    file.write_text(head)
    command = PtyCommand(
        command=[
            sys.executable,
            "-m",
            "IPython",
            "--simple-prompt",
            "--no-banner",
            "-i",
            str(file),
        ],
        columns=80,
        env={"IPYTHONDIR": str(tmp_path / "ipython")},
    )
    command.wait_for(r"In \[(1)\]")
    command.type("load = start(); load")
    shown = command.wait_for(r"(<Operation op_data_load_\S+ (?:pending|running) \d+ %)")
    assert shown
    command.wait_for(r"In \[(2)\]")
    gated.release(2)
    command.type("ktrdr_core.show(load)")
    command.wait_for(r"\[(2)/\d+\]")
    gated.release()
    command.wait_for(r"(completed)")
    command.wait_for(r"In \[(3)\]")
    command.type("print(len(load.result(progress=True)), 'bars')")
    command.wait_for("(3017) bars")
    command.type("exit")
    command.status(60)
    assert "HBox" not in command.text


def test_what_is_over_is_shown_as_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    with DataManager(tmp_path, source=FakeSource(), env={}) as data:
        load = data.load_data("AAPL", "1d")
        assert len(load.result()) == 0
        ktrdr_core.show(load)
        assert len(load.result(progress=True)) == 0
    assert said.getvalue().splitlines().count("AAPL 1d (local): completed") == 2


def test_a_domain_s_own_words_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Words(ktrdr_core.ProgressRenderer):
        def render_message(self, state: ktrdr_core.ProgressState) -> str:
            return f"loaf {state.current_step}"

    class Baker(Domain):
        progress_renderer = Words()

    async def main() -> None:
        baker = Baker()

        async def bake() -> None:
            baker.update_operation_progress(1, "not in these words")

        operation = baker.start_operation("Bread", "baking", bake, total_steps=1)
        ktrdr_core.show(operation)
        await operation
        await asyncio.sleep(0)

    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    asyncio.run(main())
    assert "Bread: loaf 1" in said.getvalue()
    assert "not in these words" not in said.getvalue()
    assert said.getvalue().splitlines()[-1] == "Bread: completed"


def test_it_waits_no_longer_than_it_is_told(tmp_path: Path) -> None:
    source = FakeSource()
    prices = {name: [1.0] for name in ("open", "high", "low", "close", "volume")}
    source.set_bars("AAPL", "1d", {"time": np.array(["2001-01-02"], "M8[ns]"), **prices})
    source.hold()
    with DataManager(tmp_path, source=source, env={}) as data:
        load = data.load_data("AAPL", "1d", "2001-01-01", "2002-01-01", mode="full")
        with pytest.raises(TimeoutError, match="still running"):
            load.result(0.05, progress=True)
        load.cancel()
        source.release()


def test_text_stands_beside_every_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "has_kernel", lambda: True)

    async def main() -> dict[str, Any]:
        domain = Domain()
        gate = asyncio.Event()

        async def work() -> None:
            domain.update_operation_progress(1, "A sentence that says a lot of what is done " * 5)
            await gate.wait()

        operation = domain.start_operation("W", "w", work, total_steps=2)
        async for state in operation.events():
            if state.current_step == 1:
                break
        drawn: dict[str, Any] = operation._repr_mimebundle_()
        gate.set()
        await operation
        return drawn

    drawn = asyncio.run(main())
    assert "application/vnd.jupyter.widget-view+json" in drawn
    assert drawn["text/plain"].startswith("<Operation op_w_")
    assert "running 50 %" in drawn["text/plain"]
    assert "HBox" not in drawn["text/plain"]
    assert "50 %" in drawn["text/html"]


def test_the_widget_s_words_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "<b>A sentence</b> that is much longer than the line it begins on, and says so. " * 3

    async def main() -> None:
        domain = Domain()
        gate = asyncio.Event()

        async def work() -> None:
            domain.update_operation_progress(1, sentence)
            await gate.wait()

        operation = domain.start_operation("W", "w", work, total_steps=2)
        async for state in operation.events():
            if state.current_step == 1:
                break
        _, _, words = notebook._widget(operation).children
        assert words.value.startswith("50 % · ")
        assert "running: &lt;b&gt;A sentence&lt;/b&gt; that is much longer" in words.value
        # A label is cut at the end of its line.
        assert type(words).__name__ == "HTML"
        gate.set()
        await operation

    asyncio.run(main())


def test_a_notebook_is_told_where_result_would_wait_for_work_of_its_own_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core's work goes on while a cell blocks; what the loop itself works on cannot."""
    monkeypatch.setattr("ktrdr_core.operations.handle._in_ipython", lambda: True)

    async def work(released: asyncio.Event) -> int:
        await released.wait()
        return 7

    async def main() -> None:
        released = asyncio.Event()
        domain = Domain()
        operation = domain.start_operation("Work", "work", work, released)
        for begun in (False, True):
            with pytest.raises(RuntimeError, match="await operation"):
                operation.result(timeout=5)
            if not begun:
                await asyncio.sleep(0)
        released.set()
        assert await operation == 7
        assert operation.result(timeout=5) == 7
        with DataManager(tmp_path, source=FakeSource()) as data:
            assert len(data.load_data("AAPL", "1d").result(timeout=30)) == 0

    asyncio.run(main())
