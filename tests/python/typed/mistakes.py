"""What users write at first: ten mistakes, each on a line of its own, and nothing else that a type checker refuses."""

from ktrdr_core import (
    Bars,
    CancellationToken,
    DataManager,
    ProgressState,
    ServiceOrchestrator,
    TrainingManager,
)


def show(percentage: float, message: str) -> None:
    print(f"{percentage:.0f} % {message}")


def tell(state: ProgressState) -> None:
    print(state.percentage, state.estimated_remaining)
    print(state.percent)  # refused: an attribute that there is not


class Words(ServiceOrchestrator):
    def _get_service_name(self) -> str:
        return "Words"

    def _get_env_var_prefix(self) -> str:
        return "WORDS"

    async def count(self, texts: list[str], longest: int = 100) -> int:
        return sum(len(text) <= longest for text in texts)


async def main(
    data: DataManager, training: TrainingManager, words: Words, token: CancellationToken
) -> None:
    data.load_data("AAPL", "1d", start="2024-01-01")  # refused: the option is called start_date
    data.load_data("AAPL", "1d", mode="incremental")  # refused: no such mode
    data.load_data("AAPL", "1d", start_date=20240101)  # refused: a date is no number
    data.load_data("AAPL", "1d", progress_callback=show)  # refused: it is called with one state
    loading = data.load_data("AAPL", "1d", "2024-01-01", progress_callback=tell)
    print(loading.close.mean())  # refused: the operation is not its value
    bars: Bars = await loading.result()  # refused: result() waits by itself
    bars = await loading
    report: Bars = await training.train_multi_symbol_strategy("words.yaml")  # refused: it is a dict
    words.start_operation("C", "count", words.count, ["a"], longst=3)  # refused: no such keyword
    words.execute_with_progress(words.count(["a"]))  # refused: nobody awaits it
    print(bars, report, token.is_cancelled())
