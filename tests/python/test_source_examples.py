"""The programs in examples/ that are sources of bars, run as a reader would, and their classes over the suite's cases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FILE = """Datum;Erster;Hoch;Tief;Schluss;Stuecke
31.01.2024;160,10;161,94;159,02;160,72;1.892.004
30.01.2024;160,50;160,88;159,50;;1.201.332
29.01.2024;1.160,50;1.160,88;1.159,50;1.160,00;7
"""


def run(program: str, *arguments: object, folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / program, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "SAP.txt").write_text(FILE, encoding="utf-8")
    return folder


def test_the_other_vendor_s_files_are_loaded(files: Path, tmp_path: Path) -> None:
    asked = (files, "SAP", "2024-01-29", "2024-01-31")
    code, out, error = run("custom_source.py", *asked, folder=tmp_path)
    assert (code, error) == (0, "")
    assert "<Bars SAP 1d: 2 from 2024-01-29T00:00:00Z to 2024-01-31T00:00:00Z>" in out
    assert "2024-01-30T00:00:00.000Z has no number in 160,50;160,88;159,50;;1.201.332" in out
    (files / "SAP.txt").write_text(FILE.replace("159,50;;", "159,50;160,00;"), encoding="utf-8")
    code, out, _ = run("custom_source.py", *asked, folder=tmp_path)
    assert (code, out) == (
        0,
        "<Bars SAP 1d: 3 from 2024-01-29T00:00:00Z to 2024-01-31T00:00:00Z>\n",
    )


@pytest.mark.parametrize("symbol", ["NOPE", "../SAP"])
def test_a_symbol_without_a_file_is_unknown(symbol: str, files: Path, tmp_path: Path) -> None:
    code, out, error = run(
        "custom_source.py", files, symbol, "2024-01-29", "2024-01-31", folder=tmp_path
    )
    assert (code, out) == (1, "")
    assert error.startswith("error: ")
    assert symbol in error


def test_the_chart_service_s_answers_are_loaded(tmp_path: Path) -> None:
    asked = ("AAPL", "2024-01-01", "2024-01-31")
    code, out, error = run("yfinance_shaped_source.py", *asked, folder=tmp_path)
    assert (code, error) == (0, "")
    bars, warning = out.splitlines()
    assert bars == "<Bars AAPL 1d: 30 from 2024-01-01T00:00:00Z to 2024-01-31T00:00:00Z>"
    assert "2024-01-17T00:00:00.000Z has no number" in warning


def test_a_symbol_that_the_chart_service_does_not_know_is_unknown(tmp_path: Path) -> None:
    code, out, error = run(
        "yfinance_shaped_source.py", "NOPE", "2024-01-01", "2024-01-31", folder=tmp_path
    )
    assert (code, out) == (1, "")
    assert "knows no NOPE" in error
