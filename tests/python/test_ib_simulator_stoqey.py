"""A second client that is not ours works against the simulated gateway: @stoqey/ib, where node is, and npm can install it.

It is installed once for a checkout, into ``build/stoqey``; ``KTRDR_STOQEY`` names another folder that has it.
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

_PACKAGE = "@stoqey/ib@1.6.10"
_INSTALLED = Path(__file__).parents[2] / "build" / "stoqey"
# How long a registry may take. Seconds.
_LIMIT = 60


@pytest.fixture(scope="module")
def folder() -> Path:
    """Give a folder that has the client."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    named = os.environ.get("KTRDR_STOQEY")
    if named:
        return Path(named)
    if not (_INSTALLED / "node_modules" / "@stoqey" / "ib" / "package.json").exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed")
        _INSTALLED.mkdir(parents=True, exist_ok=True)
        # Nothing of a package runs while it is installed.
        words = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", _PACKAGE]
        try:
            subprocess.run(
                [npm, *words, "--prefix", str(_INSTALLED)],
                check=True,
                capture_output=True,
                timeout=_LIMIT,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm cannot install {_PACKAGE} here: {error}")
    return _INSTALLED


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
