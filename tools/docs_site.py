"""What `make docs` does otherwise than MkDocs: a hook for links, and an extension of griffe for what is shown."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

import griffe

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

LINK = re.compile(r"\[(?P<text>[^]]*)\]\((?P<target>\.\./[^)#]+)\)")


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Give a file's name in place of a link that leaves docs/: the repository has the file, the site has not."""

    def named(link: re.Match[str]) -> str:
        folder = posixpath.dirname(page.file.src_uri)
        path = posixpath.normpath(posixpath.join("docs", folder, link["target"]))
        return link[0] if path.startswith("docs/") else f"{link['text']} (`{path}`)"

    return LINK.sub(named, markdown)


class WithoutSpecialMethods(griffe.Extension):
    """Leaves ``__repr__`` and its like out: a class says in words what it can be used as."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Forget the methods that Python itself calls; ``__init__`` is shown with its class."""
        for name, member in list(cls.members.items()):
            if member.is_special and name != "__init__":
                cls.del_member(name)
