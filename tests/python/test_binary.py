"""What the built libraries ask for and what they show: nothing of Python in libktrdr.so, nothing of torch in _core."""

import importlib.util
import platform
import re
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, Symbol, SymbolTableSection

import floor_plan

FOLDER = Path(importlib.util.find_spec("ktrdr_core._core").origin or "").parent  # type: ignore[union-attr]


ROOT = Path(__file__).resolve().parents[2]


def symbols(library: Path) -> list[Symbol]:
    """Return what the loader sees of a library: names that it expects from others, and those that it shows."""
    with library.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        return [symbol for symbol in table.iter_symbols() if symbol.name]


def undefined(library: Path) -> set[str]:
    """Return the names a library expects from others."""
    return {symbol.name for symbol in symbols(library) if symbol["st_shndx"] == "SHN_UNDEF"}


def shown(library: Path) -> list[Symbol]:
    """Return the symbols a library shows to others."""
    return [symbol for symbol in symbols(library) if symbol["st_shndx"] != "SHN_UNDEF"]


def dynamic(library: Path, tag: str, name: str) -> list[str]:
    """Return the values of one kind of entry in the dynamic section."""
    with library.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".dynamic")
        assert isinstance(section, DynamicSection)
        return [getattr(entry, name) for entry in section.iter_tags(tag)]


def flags_of(library: Path) -> int:
    """Return DT_FLAGS_1, what the loader is told to do."""
    with library.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".dynamic")
        assert isinstance(section, DynamicSection)
        return sum(int(entry.entry.d_val) for entry in section.iter_tags("DT_FLAGS_1"))


def needed(library: Path) -> list[str]:
    return dynamic(library, "DT_NEEDED", "needed")


def one(pattern: str) -> Path:
    [library] = FOLDER.glob(pattern)
    return library


def test_libktrdr_knows_no_python() -> None:
    library = one("libktrdr.so")
    assert {name for name in undefined(library) if name.startswith(("Py", "_Py"))} == set()
    assert not [name for name in needed(library) if "python" in name]


def test_core_takes_python_from_the_interpreter() -> None:
    core = one("_core.*.so")
    assert "PyErr_SetString" in undefined(core)
    assert not [
        name for name in needed(core) if "python" in name or "torch" in name or "c10" in name
    ]


def test_core_finds_libktrdr_beside_itself() -> None:
    core = one("_core.*.so")
    assert "libktrdr.so" in needed(core)
    paths = dynamic(core, "DT_RUNPATH", "runpath") + dynamic(core, "DT_RPATH", "rpath")
    assert paths == ["$ORIGIN"]


def test_torch_is_found_in_the_torch_package() -> None:
    found = list(FOLDER.glob("_torch.*.so"))
    if not found:
        pytest.skip("built without torch")
    [module] = found
    assert "libtorch_cpu.so" in needed(module)
    assert not [name for name in needed(module) if "torch_python" in name or "cuda" in name]
    [path] = dynamic(module, "DT_RUNPATH", "runpath") + dynamic(module, "DT_RPATH", "rpath")
    assert set(path.split(":")) == {"$ORIGIN", "$ORIGIN/../torch/lib"}


def built() -> list[Path]:
    """Return libktrdr.so and the modules that are there."""
    return [one("libktrdr.so"), one("_core.*.so"), *FOLDER.glob("_torch.*.so")]


def test_libktrdr_shows_what_the_modules_take_and_nothing_else() -> None:
    library, *modules = built()
    taken = set[str]().union(*map(undefined, modules))
    # Type information and the like is in each of them, and one with theirs.
    common = {
        symbol.name
        for module in modules
        for symbol in shown(module)
        if symbol["st_info"]["type"] in ("STT_OBJECT", "STT_TLS")
    }
    names = {symbol.name for symbol in shown(library)}
    assert len(names) < 600
    assert names & taken
    assert names - taken - common == set()


@pytest.mark.parametrize("library", built(), ids=lambda library: library.name.partition(".")[0])
def test_nothing_that_the_loader_fills_in_can_be_written_to(library: Path) -> None:
    with library.open("rb") as stream:
        segments = {segment["p_type"]: segment for segment in ELFFile(stream).iter_segments()}
    assert "PT_GNU_RELRO" in segments
    # Of flags 1: execute.
    assert segments["PT_GNU_STACK"]["p_flags"] & 1 == 0
    # DF_1_NOW: everything is found at the start, so that the whole table is closed then.
    assert flags_of(library) & 1


@pytest.mark.parametrize("library", built(), ids=lambda library: library.name.partition(".")[0])
def test_overwritten_stacks_are_noticed(library: Path) -> None:
    assert "__stack_chk_fail" in undefined(library)


def test_calls_of_the_c_library_are_checked() -> None:
    checked = [name for name in undefined(one("libktrdr.so")) if re.fullmatch(r"__\w+_chk", name)]
    assert checked


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of Intel and AMD")
@pytest.mark.parametrize("library", built(), ids=lambda library: library.name.partition(".")[0])
def test_jumps_and_returns_can_be_watched_by_the_processor(library: Path) -> None:
    functions = [symbol for symbol in shown(library) if symbol["st_info"]["type"] == "STT_FUNC"]
    assert functions
    with library.open("rb") as stream:
        file = ELFFile(stream)
        for function in functions:
            [offset] = file.address_offsets(function["st_value"], 4)
            stream.seek(offset)
            # ENDBR64: where an indirect call may arrive.
            assert stream.read(4) == b"\xf3\x0f\x1e\xfa", function.name
        notes = file.get_section_by_name(".note.gnu.property")
        assert isinstance(notes, NoteSection)
        features = [
            feature["pr_data"]
            for note in notes.iter_notes()
            for feature in note["n_desc"]
            if feature["pr_type"] == "GNU_PROPERTY_X86_FEATURE_1_AND"
        ]
        # Bit 1: returns are those of calls.
        assert [feature & 2 for feature in features] == [2]


def test_what_the_wheel_holds_of_others_has_a_notice() -> None:
    notices = (ROOT / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"^(\S+) \(.+\)\n-+$", notices, re.MULTILINE)}
    # As the floor plan calls them; torch is no part of the wheel.
    headers = {"asio": "boost", "python": "pybind11"}
    used = {headers.get(library, library) for library in floor_plan.LIBRARIES} - {"torch"}
    assert used <= named
    system = re.compile(r"(libstdc\+\+|libgcc_s|libm|libc|ld-linux\S*)\.so")
    linked = {"ssl": "openssl", "crypto": "openssl", "z": "zlib", "sqlite3": "sqlite"}
    for file in needed(one("libktrdr.so")):
        if not system.match(file):
            name = file.removeprefix("lib").partition(".so")[0]
            assert linked.get(name, name) in named, file
    assert "sqlitecpp" in named
