"""Load, show and refuse to train with nothing but the wheel and its dependencies. tools/check_wheel.sh runs it."""

import http.server
import importlib.metadata
import json
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ktrdr_core
from ktrdr_core.cli.app import cli

STRATEGY = Path("/strategy.yaml")
DAYS = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=i) for i in range(60)]


class Host(http.server.BaseHTTPRequestHandler):
    """A host service with sixty daily bars of one symbol."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer `/health` and `/data/head-timestamp`."""
        first = DAYS[0].isoformat()
        self.answer({"healthy": True, "success": True, "timestamp": first, "error": None})

    def do_POST(self) -> None:
        """Answer `/data/validate` and `/data/historical`."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/data/validate":
            heads = {"1d": DAYS[0].isoformat()}
            self.answer(
                {"success": True, "is_valid": True, "head_timestamps": heads, "error": None}
            )
            return
        start, end = (datetime.fromisoformat(asked[key]) for key in ("start", "end"))
        prices = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 100}
        table = {
            day.strftime("%Y-%m-%dT%H:%M:%S.000Z"): prices
            for day in DAYS
            if start <= day.replace(tzinfo=start.tzinfo) < end
        }
        self.answer({"success": True, "data": json.dumps(table), "rows": len(table), "error": None})

    def answer(self, content: dict[str, object]) -> None:
        """Send JSON."""
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def refusal(data: ktrdr_core.DataManager, folder: str) -> str:
    """Return what a training says where torch is not installed."""
    try:
        ktrdr_core.TrainingManager(data, folder).train_multi_symbol_strategy(STRATEGY)
    except ktrdr_core.errors.FeatureNotAvailableError as error:
        return str(error)
    raise AssertionError("a training started without torch")


def main() -> None:
    """Try import, load, show and training; raise where one does not do what it should."""
    assert "torch" not in sys.modules
    files = {file.name for file in importlib.metadata.files("ktrdr-core") or []}
    assert {"LICENSE", "THIRD_PARTY_NOTICES.txt"} <= files, files
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with (
        tempfile.TemporaryDirectory() as folder,
        ktrdr_core.DataManager(data_dir=folder, ib_url=url, use_ib_host_service=True) as data,
    ):
        asked: dict[str, Any] = {"start_date": "2020-01-01", "end_date": "2020-02-01"}
        bars = data.load_data("AAPL", "1d", **asked, mode="full").result(timeout=30)
        assert len(bars) == 32, len(bars)  # The end is a day: it is included.
        assert float(bars.close[-1]) == 1.5
        print(f"loaded {len(bars)} bars into {data.database_path}")
        cli(["data", "show", "AAPL", "1d", "--data-dir", folder], standalone_mode=False)
        said = refusal(data, folder)
        assert "ktrdr-core[train]" in said, said
        print(f"training says: {said}")
    server.shutdown()
    print(f"ktrdr-core {ktrdr_core.__version__}: the wheel works alone")


main()
