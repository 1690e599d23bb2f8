"""A second client that is not ours works against the simulated gateway: @stoqey/ib, where node and it are installed.

``npm install @stoqey/ib`` in a folder, and ``KTRDR_STOQEY`` names that folder.
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

_FOLDER = os.environ.get("KTRDR_STOQEY", "")


@pytest.mark.skipif(
    not _FOLDER or shutil.which("node") is None,
    reason="needs node, and @stoqey/ib in the folder that KTRDR_STOQEY names",
)
def test_a_client_in_typescript_gets_the_same_bars() -> None:
    minutes = walk("2024-03-14", "2024-03-16")
    with IbGatewaySimulator({("AAPL", "1 min"): minutes}, clock=lambda: 1_710_540_000.0) as gateway:
        script = Path(__file__).with_name("stoqey_client.js")
        done = subprocess.run(
            ["node", str(script), _FOLDER, gateway.host, str(gateway.port)],
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
