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
            "// Code.\n#include <ktrdr/base/errc.hpp>\n#include <vector>\n",
        )
    write(tmp_path, "bindings/CMakeLists.txt", "target_link_libraries(_core PRIVATE ktrdr)\n")
    write(tmp_path, "bindings/src/module.cpp", "// The module.\n#include <pybind11/pybind11.h>\n")
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
        ("#include <boost/json/parse.hpp>", "reads JSON by itself"),
        ("#include <boost/json/stream_parser.hpp>", "reads JSON by itself"),
        ("#include <boost/json/basic_parser_impl.hpp>", "reads JSON by itself"),
        ("#include <boost/json.hpp>", "reads JSON by itself"),
        ("const auto value = boost::json::parse(text, error);", "reads JSON by itself"),
        ("using boost::json::parse;", "reads JSON by itself"),
        ("json::stream_parser parser;", "reads JSON by itself"),
        ("json::parse_into(row, text);", "reads JSON by itself"),
        ("switch (timeframe.unit()) {", "makes periods by itself"),
        ("case Timeframe::Unit::day: return 24;", "makes periods by itself"),
        ("const auto end = start + std::chrono::weeks{1};", "makes periods by itself"),
        ("return day + months(count);", "makes periods by itself"),
        ("const auto day = floor<days>(stamp);", "makes periods by itself"),
        ("std::chrono::ceil<std::chrono::days>(stamp)", "makes periods by itself"),
        ("return end + beyond * grid.timeframe().shortest();", "may add a length to a stamp"),
        ("const auto length = timeframe->shortest();", "may add a length to a stamp"),
        ("ends.push_back(stamp + days{1});", "may add a length to a stamp"),
        ("bars.start_of(i) + std::chrono::hours{24}", "may add a length to a stamp"),
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
        "#include <boost/json/value.hpp>",
        "const auto value = parse_json(text, error);",
        "json::parse_options options;",
        "#include <fmt/format.h>",
        "#include <sys/eventfd.h>",
        '#include "private.hpp"',
        "// #include <ktrdr/http/client.hpp>",
        "// getenv() is for others",
        "const UtcTime behind = stamp + std::chrono::nanoseconds{1};",
        "const UtcTime end = grid.next_unbroken(stamp);",
    ],
)
def test_an_allowed_line_is_not(tree: Path, line: str) -> None:
    write(tree, "market/src/bars.cpp", f"// Bars.\n{line}\n")
    assert floor_plan.check(tree) == []


def test_json_is_read_in_one_file_of_base_only(tree: Path) -> None:
    reading = "#include <ktrdr/base/json.hpp>\n#include <boost/json/basic_parser_impl.hpp>\n"
    write(tree, "base/include/ktrdr/base/json.hpp", "#pragma once\n")
    write(tree, "base/src/json.cpp", reading)
    assert floor_plan.check(tree) == []
    write(tree, "base/src/env.cpp", "// Env.\n" + reading)
    [finding] = floor_plan.check(tree)
    assert "cpp/base/src/env.cpp:3: reads JSON by itself" in finding


def test_a_source_without_a_header_says_what_it_is_for(tree: Path) -> None:
    write(tree, "market/src/bars_of_a_day.cpp", "#include <vector>\n")
    [finding] = floor_plan.check(tree)
    assert "cpp/market/src/bars_of_a_day.cpp:1: has no header of its name" in finding
    write(tree, "market/src/bars_of_a_day.hpp", "#pragma once\n")
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


PACKAGES = """
| floor | package | what lives there | may use | libraries |
|---|---|---|---|---|
| 8 | `errors` | exceptions | - | - |
| 9 | `http` | a client | errors | - |
| 9 | `hosts.ib` | a service | errors | fastapi |
| 10 | `operations` | handles | errors http | anyio |
| 11 | `ktrdr_core` | names | all | - |
"""


@pytest.fixture
def packages(tree: Path) -> Path:
    """The small house with a Python half."""
    with (tree / "docs" / "architecture.md").open("a") as page:
        page.write(PACKAGES)
    for name in ("__init__", "errors", "http/__init__", "hosts/ib/app", "operations/handle"):
        module(tree, name, "import asyncio\n")
    return tree


def module(tree: Path, name: str, text: str) -> None:
    path = tree / "python" / "ktrdr_core" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("from .. import operations", "does not let it use 'operations'"),
        ("from ..operations import Operation", "does not let it use 'operations'"),
        ("from ..operations.handle import Operation", "does not let it use 'operations'"),
        ("import ktrdr_core.operations", "does not let it use 'operations'"),
        ("from ktrdr_core.operations import Operation", "does not let it use 'operations'"),
        ("from ..hosts.ib.app import create_app", "does not let it use 'hosts.ib'"),
        ("from .. import attic", "does not let it use 'attic'"),
        ("import numpy", "does not let it see that"),
        ("from fastapi.routing import APIRoute", "does not let it see that"),
        ("def f() -> None:\n    from ..operations import Operation", "'operations'"),
        ("if TYPE_CHECKING:\n    from ..operations import Operation", "'operations'"),
        ("import_module('ktrdr_core.operations')", "'operations'"),
        ("importlib.import_module('ktrdr_core.operations')", "'operations'"),
        ("work = sys.modules.get('ktrdr_core.operations')", "'operations'"),
        ("work = sys.modules['ktrdr_core.operations']", "'operations'"),
    ],
)
def test_a_forbidden_import_is_found_with_its_place(packages: Path, line: str, said: str) -> None:
    module(packages, "http/client", f"{line}\n")
    [finding] = floor_plan.check(packages)
    assert said in finding
    assert f"python/ktrdr_core/http/client.py:{line.count(chr(10)) + 1}: " in finding


@pytest.mark.parametrize(
    "line",
    [
        "from .. import _core, errors",
        "from .._core import Timeouts",
        "from ..errors import KtrdrError",
        "from ktrdr_core.errors import KtrdrError",
        "from . import answers",
        "from .answers import Response",
        "import urllib.parse",
        "# from ..operations import Operation",
        "loaded = 'asyncio' in sys.modules",
    ],
)
def test_an_allowed_import_is_not(packages: Path, line: str) -> None:
    module(packages, "http/client", f"{line}\n")
    assert floor_plan.check(packages) == []


def test_what_a_package_may_use_is_open_to_it_and_the_face_may_use_all(packages: Path) -> None:
    module(packages, "operations/handle", "import anyio\nfrom ..http import Client\n")
    module(packages, "hosts/ib/app", "import fastapi\nfrom ...errors import KtrdrError\n")
    module(packages, "__init__", "from .hosts.ib.app import create_app\n")
    assert floor_plan.check(packages) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "| errors | - |\n| 9 | `hosts",
            "| errors operations | - |\n| 9 | `hosts",
            "nothing above",
        ),
        ("| 8 | `errors` | exceptions | - |", "| 9 | `errors` | x | http |", "in a circle"),
        ("| errors http |", "| errors http attic |", "'attic', which is no room"),
        ("| 9 | `http` | a client | errors | - |\n", "", "'http' has a folder in python/"),
        ("| 9 | `http`", "| 9 | `attic` | - | - | - |\n| 9 | `http`", "no folder in python/"),
    ],
)
def test_a_table_of_packages_that_is_wrong_is_found(
    packages: Path, old: str, new: str, said: str
) -> None:
    page = packages / "docs" / "architecture.md"
    assert old in PACKAGES
    page.write_text(page.read_text().replace(old, new))
    assert any(said in finding for finding in floor_plan.check(packages))
