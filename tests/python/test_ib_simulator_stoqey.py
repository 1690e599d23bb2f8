"""A second client that is not ours works against the simulated gateway: @stoqey/ib, where node is.

`make setup` has npm install it into ``build/stoqey``; ``KTRDR_STOQEY`` names another folder that has it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ib_bars import walk
from ktrdr_core.testing import IbGatewaySimulator

_INSTALLED = Path(__file__).parents[2] / "build" / "stoqey"


@pytest.fixture(scope="module")
def folder() -> Path:
    """Give a folder that has the client."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    found = Path(os.environ.get("KTRDR_STOQEY", _INSTALLED))
    if not (found / "node_modules" / "@stoqey" / "ib" / "package.json").exists():
        pytest.skip(f"@stoqey/ib is not installed in {found}: make setup does, where there is npm")
    return found


def test_a_client_in_typescript_gets_the_same_bars(folder: Path) -> None:
    minutes = walk("2024-03-14", "2024-03-16")
    with IbGatewaySimulator({("AAPL", "1 min"): minutes}, clock=lambda: 1_710_540_000.0) as gateway:
        script = Path(__file__).with_name("stoqey_client.js")
        done = subprocess.run(
            ["node", str(script), str(folder), gateway.host, str(gateway.port)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert gateway.broken_frames == []
    found = json.loads(done.stdout)
    assert found["version"] == 178
    assert found["time"] == 1_710_540_000
    assert found["zones"] == ["America/New_York"]
    assert int(found["head"]) == 1_710_374_400
    assert found["errors"] == [200]
    opens = [1_710_509_400, *range(1_710_511_200, 1_710_532_800, 3600)]
    assert [bar[0] for bar in found["bars"]] == opens
    inside = slice(1440 + 13 * 60 + 30, 1440 + 20 * 60)
    assert sum(bar[5] for bar in found["bars"]) == minutes["volume"][inside].sum()
    assert max(bar[2] for bar in found["bars"]) == minutes["high"][inside].max()
