"""A strategy's text as plain data, by YAML 1.2, with the place of every value.

In YAML 1.1 ``014`` is 12, ``1:30`` is 90 and ``on`` is true. Here they are 14 and twice a text. What YAML allows
beyond a tree of mappings, lists, texts, numbers, flags and null is refused by name: tags, merge keys, keys that are no
text, several documents in one file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]

#: Bounds of what is read: levels, and values once every alias is written out.
MOST_LEVELS = 30
MOST_VALUES = 20_000

_TEXT_TAG = "tag:yaml.org,2002:str"
_NULL = {"", "~", "null", "Null", "NULL"}
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")


@dataclass(frozen=True)
class Place:
    """Where a value stands; lines and columns count from 1.

    Attributes
    ----------
    line, column : int
        Of its first character, or of its key's.
    text : str or None
        A scalar as it was written, where it stands without quotes.
    """

    line: int
    column: int
    text: str | None = None


@dataclass(frozen=True)
class Document:
    """A file's data, lists as tuples, and the place of each path in it."""

    data: Any
    places: dict[Path, Place]


class DocumentError(Exception):
    """The text is no document that can be read; ``place`` says where, ``path`` in what."""

    def __init__(self, what: str, place: Place | None = None, path: Path = ()) -> None:
        super().__init__(what)
        self.what = what
        self.place = place
        self.path = path


class _Scanner(Scanner):
    """Gives up on brackets that no strategy has; without that, 2,000 of them take a quarter of a minute."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803
        """Take an opening bracket."""
        if self.flow_level >= MOST_LEVELS:
            mark = self.reader.get_mark()
            raise _too_deep(Place(mark.line + 1, mark.column + 1))
        super().fetch_flow_collection_start(TokenClass, to_push)


@dataclass
class _Node:
    """A value as it stands in the file; aliases share it."""

    place: Place
    value: Any = None
    #: Pairs of a mapping, with the place of each key.
    pairs: dict[str, tuple[Place, _Node]] | None = None
    items: list[_Node] | None = None
    whole: bool = True
    #: The key that a mapping waits to give a value.
    key: tuple[str, Place] | None = field(default=None, repr=False)


def read_document(text: str) -> Document:
    """Read the one document of a text.

    Raises
    ------
    DocumentError
        When it is no YAML, or something that no strategy holds.
    """
    root = _Composer(text).compose()
    expansion = _Expansion()
    data = expansion.plain(root, ())
    return Document(data, expansion.places)


def _too_deep(place: Place) -> DocumentError:
    return DocumentError(f"is nested too deep: more than {MOST_LEVELS} levels", place)


class _Composer:
    """Makes nodes of events; no recursion, so that depth costs nothing but its level."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._anchors: dict[str, _Node] = {}
        self._open: list[_Node] = []
        self._root: _Node | None = None

    def compose(self) -> _Node:
        documents = 0
        for count, event in enumerate(self._events()):
            if count > MOST_VALUES:
                raise DocumentError(f"holds more than {MOST_VALUES} values", _place(event))
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._check_start(event, documents)
            elif isinstance(event, AliasEvent):
                self._put(self._aliased(event), event)
            elif isinstance(event, ScalarEvent):
                self._put(self._scalar(event), event)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._enter(event)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._open.pop().whole = True
        if self._root is None:
            raise DocumentError("a strategy is a mapping of keys to values; this is empty")
        return self._root

    def _events(self) -> Iterator[Any]:
        reader = YAML(typ="safe", pure=True)
        reader.Scanner = _Scanner
        try:
            yield from reader.parse(self._text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else None
            raise DocumentError(f"is not YAML: {_plainly(error)}", place) from None
        except ReaderError as error:
            what = f"is not YAML: the character {chr(error.character)!r} is not allowed"
            raise DocumentError(what, self._place_of(error.position)) from None
        except (YAMLError, ValueError, IndexError, AttributeError, TypeError) as error:
            # On some broken texts the scanner itself stumbles.
            raise DocumentError(f"is not YAML: {error}") from None

    def _place_of(self, index: int) -> Place:
        before = self._text[:index]
        return Place(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)

    def _check_start(self, event: DocumentStartEvent, documents: int) -> None:
        place = _place(event)
        if documents > 1:
            raise DocumentError("a second document begins; a file holds one strategy", place)
        version = event.version
        if version and tuple(version) != (1, 2):
            said = ".".join(map(str, version))
            raise DocumentError(f"says it is YAML {said}; strategies are read as YAML 1.2", place)

    def _aliased(self, event: AliasEvent) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise DocumentError(f"nothing above is marked &{event.anchor}", _place(event))
        if not node.whole:
            raise DocumentError(f"*{event.anchor} stands within what it stands for", _place(event))
        return node

    def _scalar(self, event: ScalarEvent) -> _Node:
        plain = event.style is None or event.style == ""
        place = _place(event, event.value[:80] if plain else None)
        self._check_tag(event, place)
        is_text = not plain or event.tag == _TEXT_TAG
        node = _Node(place, event.value if is_text else _resolved(event.value, place))
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _enter(self, event: Any) -> None:
        place = _place(event)
        self._check_tag(event, place)
        if len(self._open) >= MOST_LEVELS:
            raise _too_deep(place)
        node = _Node(place, whole=False)
        if isinstance(event, MappingStartEvent):
            node.pairs = {}
        else:
            node.items = []
        if event.anchor:
            self._anchors[event.anchor] = node
        self._put(node, event)
        self._open.append(node)

    def _check_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None and not (
            isinstance(event, ScalarEvent) and event.tag == _TEXT_TAG
        ):
            raise DocumentError(f"has the tag {event.tag}; a strategy has no tags", place)

    def _put(self, node: _Node, event: Any) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if parent.items is not None:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node, event)
        elif parent.pairs is not None:
            name, place = parent.key
            parent.pairs[name] = (place, node)
            parent.key = None

    def _key(self, node: _Node, event: Any) -> tuple[str, Place]:
        place = _place(event)
        if node.pairs is not None or node.items is not None:
            index = event.start_mark.index
            if self._text[max(index - 1, 0) : index + 1] == "{{":
                what = "is a template: fill in what stands between {{ and }} before it is read"
                raise DocumentError(what, place, self._path())
            raise DocumentError("a key is a text, not a mapping or a list", place, self._path())
        text = event.value if isinstance(event, ScalarEvent) else node.place.text
        name = str(node.value) if text is None else text
        if text == "<<" and node.place.text is not None:
            what = "merge keys (<<) are not of YAML 1.2; write the keys out"
            raise DocumentError(what, place, self._path())
        if name in (self._open[-1].pairs or {}):
            raise DocumentError("is there twice", place, (*self._path(), name))
        return name, place

    def _path(self) -> Path:
        """Where the mapping that is being read stands."""
        path: list[str | int] = []
        for node in self._open[:-1]:
            if node.items is not None:
                path.append(len(node.items) - 1)
            elif node.pairs:
                path.append(next(reversed(node.pairs)))
        return tuple(path)


class _Expansion:
    """Writes every alias out, and counts, as a few of them can stand for a huge tree."""

    def __init__(self) -> None:
        self.places: dict[Path, Place] = {}
        self._values = 0

    def plain(self, node: _Node, path: Path, key: Place | None = None) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            what = f"repeats too much: more than {MOST_VALUES} values, once aliases are written out"
            self._fail(what, node, path)
        if len(path) > MOST_LEVELS:
            self._fail(_too_deep(node.place).what, node, path)
        at = key or node.place
        self.places[path] = Place(at.line, at.column, node.place.text)
        if node.items is not None:
            return tuple(self.plain(one, (*path, i)) for i, one in enumerate(node.items))
        if node.pairs is not None:
            return {
                name: self.plain(one, (*path, name), place)
                for name, (place, one) in node.pairs.items()
            }
        return node.value

    @staticmethod
    def _fail(what: str, node: _Node, path: Path) -> NoReturn:
        raise DocumentError(what, node.place, path)


def _place(event: Any, text: str | None = None) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1, text)


def _resolved(text: str, place: Place) -> Any:
    """What a scalar without quotes is, by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if _WHOLE.fullmatch(text):
        try:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        except ValueError:
            raise DocumentError(f"is a number of {len(text)} digits", place) from None
    if _NUMBER.fullmatch(text):
        return float(text)
    if _ENDLESS.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _plainly(error: MarkedYAMLError) -> str:
    """Say what the scanner says, tabs and templates in words of what to do."""
    said = str(error.problem or error.context)
    if "'\\t'" in said:
        return "a tab; indent with spaces"
    if "'%'" in said:
        return f"{said}; templates ({{% … %}}) are to be filled in before"
    return said
