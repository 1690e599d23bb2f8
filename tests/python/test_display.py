"""How an operation looks in a notebook, and what its button and the kernel's interrupt do."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from ktrdr_core import errors, notebook
from ktrdr_core.testing import Domain

if TYPE_CHECKING:
    from ktrdr_core import Operation


def widgets_of(operation: Operation[Any]) -> tuple[Any, Any, Any]:
    bar, button, words = notebook._widget(operation).children
    return bar, button, words


def test_the_bar_follows_and_the_button_goes_grey_at_the_end() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        domain = Domain()

        async def work() -> None:
            domain.update_operation_progress(1, "Half way")
            await gate.wait()

        operation = domain.start_operation("W", "w", work, total_steps=2)
        bar, button, words = widgets_of(operation)
        assert bar.value == 0
        async for state in operation.events():
            if state.current_step == 1:
                break
        await asyncio.sleep(0)
        assert bar.value == 50
        assert "Half way" in words.value
        assert button.disabled is False
        gate.set()
        await operation
        await asyncio.sleep(0)
        assert (bar.value, bar.bar_style, button.disabled) == (100, "success", True)

    asyncio.run(main())


def test_the_button_cancels() -> None:
    async def main() -> None:
        operation = Domain().start_operation("W", "w", asyncio.Event().wait)
        _, button, _ = widgets_of(operation)
        button.click()
        with pytest.raises(errors.OperationCancelledError, match="cancel button"):
            await operation

    asyncio.run(main())


def test_without_widgets_it_is_html_with_nothing_unescaped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        domain = Domain()

        async def work() -> None:
            domain.update_operation_progress(1, "<script>alert(1)</script>")

        operation = domain.start_operation("W", "w", work, total_steps=1)
        await operation
        drawn = operation._repr_mimebundle_()
        assert 'value="100.0"' in drawn["text/html"]
        assert "<script>" not in drawn["text/html"]
        assert operation.id in drawn["text/plain"]
        assert "application/vnd.jupyter.widget-view+json" not in drawn

    asyncio.run(main())


def cells(*sources: str) -> Any:
    book = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    book.cells = [
        nbformat.v4.new_code_cell(textwrap.dedent(source))  # type: ignore[no-untyped-call]
        for source in sources
    ]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return book


class Printing(NotebookClient):
    """Tells when a cell has printed something."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.printed = asyncio.Event()

    def process_message(self, msg: Any, *rest: Any) -> Any:
        if msg["msg_type"] == "stream":
            self.printed.set()
        return super().process_message(msg, *rest)


HEAD = """
    import asyncio, sys, threading, time, traceback
    from ktrdr_core import ServiceOrchestrator
    class Domain(ServiceOrchestrator):
        def _get_service_name(self): return "Domain"
        def _get_env_var_prefix(self): return "DOMAIN"
    domain = Domain()
    async def work():
        domain.update_operation_progress(1, "Half way")
        await asyncio.Event().wait()
    def say_when_blocked():
        cell = threading.get_ident()
        def watch():
            while "in _block" not in "".join(traceback.format_stack(sys._current_frames()[cell])):
                time.sleep(0.01)
            print("waiting", flush=True)
        threading.Thread(target=watch).start()
"""


@pytest.mark.slow
def test_in_a_kernel_the_operation_shows_itself() -> None:
    book = cells(
        HEAD,
        "operation = domain.start_operation('W', 'w', work, total_steps=2)\noperation",
        "operation.cancel()",
    )
    NotebookClient(book, timeout=60).execute()
    (shown,) = book.cells[1].outputs
    assert "application/vnd.jupyter.widget-view+json" in shown.data
    assert "<progress" in shown.data["text/html"]


@pytest.mark.slow
def test_in_a_kernel_result_shows_a_bar_that_moves(tmp_path: Any) -> None:
    from ktrdr_core.hosts.child import HostProcess

    with HostProcess(delay=0) as host:
        book = cells(
            f"""
            from ktrdr_core import DataManager
            data = DataManager({str(tmp_path)!r}, {host.url!r}, env={{}})
            load = data.load_data("AAPL", "1d", "2000-01-01", "2010-01-01", mode="full")
            bars = load.result(progress=True)
            """,
            "len(bars)",
        )
        client = NotebookClient(book, timeout=60)
        client.execute()
    (shown,) = book.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in shown.data
    assert shown.data["text/plain"].startswith("<Operation op_data_load_")
    assert "HBox" not in shown.data["text/plain"]
    states = list((client.widget_state or {}).values())
    assert [
        state["value"] for state in states if state.get("_model_name") == "FloatProgressModel"
    ] == [100]
    [words] = [state["value"] for state in states if state.get("_model_name") == "HTMLModel"]
    assert words.startswith("100 % · completed: ")
    assert int(book.cells[1].outputs[0].data["text/plain"]) > 2000


@pytest.mark.slow
@pytest.mark.parametrize(
    "waiting", ["await operation", "load.result()", "load.result(progress=True)"]
)
def test_interrupting_the_cell_cancels_the_operation(waiting: str, tmp_path: Any) -> None:
    from ktrdr_core.hosts.child import HostProcess

    book = cells(
        HEAD,
        f"""
        from ktrdr_core import DataManager
        operation = domain.start_operation('W', 'w', work, total_steps=2)
        data = DataManager({str(tmp_path)!r}, URL, env={{}})
        load = data.load_data("AAPL", "1d", "2000-01-01", "2001-01-01", mode="full")
        # So that the interrupt meets the wait and not a line before it.
        {'say_when_blocked()' if "result" in waiting else 'print("waiting", flush=True)'}
        {waiting}
        """,
        f"print({waiting.removeprefix('await ').split('.')[0]}.status)",
    )

    async def main(host: HostProcess) -> None:
        book.cells[0].source += f"\nURL = {host.url!r}\n"
        client = Printing(book, timeout=60, allow_errors=True)
        async with client.async_setup_kernel():
            await client.async_execute_cell(book.cells[0], 0)
            running = asyncio.ensure_future(client.async_execute_cell(book.cells[1], 1))
            await asyncio.wait_for(client.printed.wait(), 30)
            manager: Any = client.km
            await manager.interrupt_kernel()
            await running
            await client.async_execute_cell(book.cells[2], 2)

    with HostProcess(delay=0, gate=True) as host:
        asyncio.run(main(host))
    outputs = book.cells[1].outputs
    raised = [output.ename for output in outputs if output.output_type == "error"]
    assert len(raised) == 1, outputs
    assert raised[0] in {"KeyboardInterrupt", "CancelledError"}
    assert book.cells[2].outputs[0].text == "cancelled\n"
