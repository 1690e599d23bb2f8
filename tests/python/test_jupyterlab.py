"""An operation in JupyterLab, in a browser: its bar moves, its text is whole, and it is stopped from there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, expect

from jupyterlab_page import LIMIT, LabPage, lab_page

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS = [
    """
import asyncio
import ktrdr_core
from ktrdr_core.hosts.child import HostProcess

class Survey(ktrdr_core.ServiceOrchestrator):
    def _get_service_name(self): return "Survey"
    def _get_env_var_prefix(self): return "SURVEY"
    async def ask(self, people):
        for number in range(1, people + 1):
            await asyncio.sleep(0.02)
            self.update_operation_progress(number, f"Asked {number} of the people who live in the long street")
        return people

def ask(people):
    return Survey().start_operation("Survey", "survey", Survey().ask, people, total_steps=people)

def load(host):
    data = ktrdr_core.DataManager(host.url.rsplit(":")[-1], host.url)
    return data.load_data("AAPL", "1d", "2000-03-01", "2013-03-01", "full")

# One takes its time, one does not answer at all.
slow, silent = HostProcess(delay=1), HostProcess(gate=True)
print("ready")
""",
    "asking = ask(100_000)\nasking",
    "asking = ask(100_000)\nktrdr_core.show(asking)\nawait asking",
    "print(len(load(slow).result(progress=True)), 'bars')",
    "load(silent).result(progress=True)",
    "print('the kernel', 'lives')",
]
# A figure, the time left, and the whole sentence.
WHOLE = re.compile(
    r"\d+ % · \d+:\d\d(:\d\d)? left · running: Asked (\d+) of the people who live in the long street"
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabPage]:
    with lab_page(tmp_path_factory.mktemp("lab"), CELLS) as page:
        expect(page.run(0)).to_contain_text("ready", timeout=1000 * LIMIT)
        yield page


def asked(output: Locator) -> int:
    """How many were asked, by the text that stands there."""
    text = output.inner_text()
    found = WHOLE.search(text)
    assert found, text
    return int(found[2])


def moves(output: Locator) -> None:
    """Wait until a bar with its whole text is there, and has moved on."""
    expect(output).to_contain_text(WHOLE, timeout=1000 * LIMIT)
    first = asked(output)
    expect(output).not_to_contain_text(f"Asked {first} of", timeout=1000 * LIMIT)
    assert asked(output) > first
    expect(output.get_by_role("progressbar").or_(output.locator(".progress"))).to_be_visible()


def is_whole(output: Locator) -> bool:
    """Say that nothing of the output is cut off: each element within it is as wide as what it holds."""
    cut: list[str] = output.evaluate("""output => [...output.querySelectorAll("*")]
            .filter(one => one.clientWidth && one.scrollWidth > one.clientWidth + 1)
            .map(one => `${one.className}: ${one.innerText}`)""")
    assert not cut, cut
    return True


def test_an_operation_shows_a_live_bar_and_its_button_cancels_it(lab: LabPage) -> None:
    output = lab.run(1)
    moves(output)
    assert is_whole(output)
    button = output.get_by_role("button", name="Cancel")
    button.click()
    expect(output).to_contain_text("the cancel button in the notebook", timeout=1000 * LIMIT)
    expect(button).to_be_disabled()
    assert is_whole(output)


def test_an_interrupt_of_the_cell_that_awaits_it_cancels_it(lab: LabPage) -> None:
    output = lab.run(2)
    moves(output)
    lab.interrupt()
    expect(output).to_contain_text("cancelled: operation", timeout=1000 * LIMIT)
    expect(lab.run(5)).to_contain_text("the kernel lives", timeout=1000 * LIMIT)


def test_result_shows_a_bar_until_the_value_is_there(lab: LabPage) -> None:
    output = lab.run(3)
    expect(output).to_contain_text(
        re.compile(r"[1-9]\d? % · .*running: Loading AAPL"), timeout=1000 * LIMIT
    )
    assert is_whole(output)
    expect(output).to_contain_text("3270 bars", timeout=1000 * LIMIT)
    expect(output).to_contain_text("100 % · completed")


def test_an_interrupt_of_the_cell_that_waits_in_result_cancels_it(lab: LabPage) -> None:
    output = lab.run(4)
    expect(output).to_contain_text("running: Loading AAPL", timeout=1000 * LIMIT)
    lab.interrupt()
    expect(output).to_contain_text("cancelled: operation", timeout=1000 * LIMIT)
    expect(lab.run(5)).to_contain_text("the kernel lives", timeout=1000 * LIMIT)
