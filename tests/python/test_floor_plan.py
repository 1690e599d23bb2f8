"""tools/floor_plan.py finds what does not agree, and nothing in this tree."""

from pathlib import Path

import pytest

import floor_plan

ROOT = Path(__file__).resolve().parents[2]

TABLE = """
| floor | room | what lives there | may use | libraries |
|---|---|---|---|---|
| 0 | `base` | errors | - | - |
| 1 | `market` | bars | base | - |
| 2 | `http` | a pool | base | asio |
| 3 | `bindings` | Python | all | python |
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small house in which everything agrees."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "architecture.md").write_text(TABLE)
    for room, uses in {
        "base": "",
        "market": "USES base",
        "http": "USES base LIBRARIES x::x",
    }.items():
        write(tmp_path, f"{room}/CMakeLists.txt", f"ktrdr_room({room}\n           {uses})\n")
        write(
            tmp_path,
            f"{room}/src/{room}.cpp",
            "#include <ktrdr/base/errc.hpp>\n#include <vector>\n",
        )
    write(tmp_path, "bindings/CMakeLists.txt", "target_link_libraries(_core PRIVATE ktrdr)\n")
    write(tmp_path, "bindings/src/module.cpp", "#include <pybind11/pybind11.h>\n")
    return tmp_path


def write(tree: Path, name: str, text: str) -> None:
    path = tree / "cpp" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_this_tree_keeps_the_plan() -> None:
    assert floor_plan.check(ROOT) == []


def test_a_tree_that_agrees_has_no_findings(tree: Path) -> None:
    assert floor_plan.check(tree) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#include <ktrdr/http/client.hpp>", "does not let it use 'http'"),
        ("  #  include <ktrdr/http/client.hpp>", "does not let it use 'http'"),
        ("#include <boost/asio/io_context.hpp>", "does not let it see asio"),
        ("#include <boost/beast/http.hpp>", "does not let it see asio"),
        ("#include <pybind11/pybind11.h>", "does not let it see python"),
        ("#include <Python.h>", "does not let it see python"),
        ("#include <sqlite3.h>", "does not let it see sqlite"),
        ("#include <torch/torch.h>", "does not let it see torch"),
        ("#include <nlohmann/json.hpp>", "belongs to no library"),
        ('#include "../../http/include/ktrdr/http/client.hpp"', "leaves the room"),
        ('const char* home = std::getenv("HOME");', "reads the environment"),
    ],
)
def test_a_forbidden_line_is_found_with_its_place(tree: Path, line: str, said: str) -> None:
    write(tree, "market/include/ktrdr/market/bars.hpp", f"#pragma once\n{line}\n")
    [finding] = floor_plan.check(tree)
    assert said in finding
    assert "cpp/market/include/ktrdr/market/bars.hpp:2" in finding


@pytest.mark.parametrize(
    "line",
    [
        "#include <ktrdr/market/bars.hpp>",
        "#include <ktrdr/base/errc.hpp>",
        "#include <boost/json.hpp>",
        "#include <fmt/format.h>",
        "#include <sys/eventfd.h>",
        '#include "private.hpp"',
        "// #include <ktrdr/http/client.hpp>",
        "// getenv() is for others",
    ],
)
def test_an_allowed_line_is_not(tree: Path, line: str) -> None:
    write(tree, "market/src/bars.cpp", line + "\n")
    assert floor_plan.check(tree) == []


def test_cmake_that_links_more_than_the_table_allows_is_found(tree: Path) -> None:
    write(
        tree,
        "market/CMakeLists.txt",
        "ktrdr_room(market\n  USES base http\n  LIBRARIES fmt::fmt)\n",
    )
    [finding] = floor_plan.check(tree)
    assert "links room 'http', which the table does not allow to 'market'" in finding


def test_cmake_that_links_less_is_found_too(tree: Path) -> None:
    write(tree, "market/CMakeLists.txt", "ktrdr_room(market LIBRARIES fmt::fmt)\n")
    [finding] = floor_plan.check(tree)
    assert "does not link room 'base'" in finding


def test_a_loop_over_rooms_counts_as_links(tree: Path) -> None:
    write(
        tree,
        "market/CMakeLists.txt",
        "foreach(used IN ITEMS base http)\ntarget_link_libraries(m INTERFACE ktrdr_${used}_headers)\nendforeach()\n",
    )
    [finding] = floor_plan.check(tree)
    assert "links room 'http'" in finding


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "| 1 | `market` | bars | base |",
            "| 1 | `market` | bars | base http |",
            "nothing above it",
        ),
        ("| 0 | `base` | errors | - |", "| 1 | `base` | errors | market |", "in a circle"),
        (
            "| errors | - | - |",
            "| errors | - | qt |",
            "a library tools/floor_plan.py does not know",
        ),
        ("| bars | base |", "| bars | base attic |", "'attic', which is no room"),
        ("| 1 | `market` | bars | base | - |\n", "", "has a folder in cpp/ and no row"),
        ("| 2 | `http`", "| 2 | `attic` | old things | - | - |\n| 2 | `http`", "no folder in cpp/"),
    ],
)
def test_a_table_that_is_wrong_is_found(tree: Path, old: str, new: str, said: str) -> None:
    table = tree / "docs" / "architecture.md"
    assert old in TABLE
    table.write_text(TABLE.replace(old, new))
    assert any(said in finding for finding in floor_plan.check(tree))


def test_a_page_without_a_table_is_found(tree: Path) -> None:
    (tree / "docs" / "architecture.md").write_text("# Architecture\n")
    assert any("no floor plan found" in finding for finding in floor_plan.check(tree))
