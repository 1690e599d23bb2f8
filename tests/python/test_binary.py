"""What the built libraries ask for: nothing of Python in libktrdr.so, nothing of torch in _core."""

import importlib.util
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

FOLDER = Path(importlib.util.find_spec("ktrdr_core._core").origin or "").parent  # type: ignore[union-attr]


def undefined(library: Path) -> set[str]:
    """Return the names a library expects from others."""
    with library.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        return {symbol.name for symbol in table.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF"}


def dynamic(library: Path, tag: str, name: str) -> list[str]:
    """Return the values of one kind of entry in the dynamic section."""
    with library.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".dynamic")
        assert isinstance(section, DynamicSection)
        return [getattr(entry, name) for entry in section.iter_tags(tag)]


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
