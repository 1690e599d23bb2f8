"""README.md as it stands on a package index, where no file of the repository lies beside it.

The build asks ``dynamic_metadata`` for it (pyproject.toml, ``[[tool.dynamic-metadata]]``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

README = Path(__file__).parents[1] / "README.md"
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^]]*)\]\((?P<target>(?!https?:|#)[^)]+)\)")


def index_page(markdown: str, files: str) -> str:
    """Make links to files absolute, below the address ``files``.

    Where that is empty, the file's name takes the place of a link, and a picture is left out.
    """

    def absolute(link: re.Match[str]) -> str:
        picture, text, target = link["picture"], link["text"], link["target"]
        if files:
            return f"{picture}[{text}]({files.rstrip('/')}/{target})"
        if picture:
            return ""
        return text if text in (target, f"`{target}`") else f"{text} (`{target}`)"

    return LINK.sub(absolute, markdown)


def dynamic_metadata(settings: Mapping[str, Any], _project: Mapping[str, Any]) -> dict[str, Any]:
    """Give the build the project's description."""
    text = index_page(README.read_text(encoding="utf-8"), settings["files"])
    return {"readme": {"content-type": "text/markdown", "text": text}}
