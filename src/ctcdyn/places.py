"""TOML texts that remember where each key stands, so that every error names a file, a line and the line's
text.

`tomllib` gives line numbers for syntax errors only. A second, cheap scan of the text gives the line of
every key path: ("reaction", 2, "rate") -> line 41. Paths are those of pydantic's `loc`: keys and positions
in lists.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctcdyn.errors import CtcError, Place, Problem

KeyPath = tuple[str | int, ...]

SIZE_LIMIT = (
    10_000_000  # bytes; a model of 1000 reactions is 0.1 MB (reliability: a text must not exhaust memory)
)
NESTING_LIMIT = 32  # brackets within brackets; tomllib recurses

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
    r"|\#[^\n]*|\n|[\[\]{}=,.]|[A-Za-z0-9_+:-]+|[^\S\n]+|.",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_CURLY = "\u201c\u201d\u201e\u2018\u2019\u201a"  # what word processors put for quotes
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$| \(at end of document\)$")


@dataclass(frozen=True)
class Document:
    """A parsed TOML text: `data` as tomllib gives it, and the place of each key path."""

    path: str
    text: str
    data: dict[str, Any]
    places: Mapping[KeyPath, Place] = field(repr=False)

    def place(self, *path: str | int) -> Place:
        """Where `path` stands, or the nearest enclosing key that is written down; line 1 if there is none."""
        for length in range(len(path), 0, -1):
            found = self.places.get(tuple(path[:length]))
            if found is not None:
                return found
        return Place(self.path, 1, self.text.split("\n", 1)[0])


def read_document(path: str | Path) -> Document:
    """The TOML file at `path`. Raises CtcError for files that are absent, unreadable, too large or not
    TOML.
    """
    shown = str(path)
    try:
        if Path(path).is_dir():
            raise CtcError(
                Problem("C100", f"{shown} is a folder, not a file", Place(shown, 1), fix="give a .toml file")
            )
        with Path(path).open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise CtcError(
            Problem(
                "C100",
                f"{shown} does not exist",
                Place(shown, 1),
                fix="check the path; `ctcdyn init` writes a study",
            )
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CtcError(
            Problem(
                "C100",
                f"{shown!r} cannot be read: {reason}",
                Place(shown, 1),
                fix="check path and permissions",
            )
        ) from None
    if len(raw) > SIZE_LIMIT:
        raise CtcError(
            Problem("C100", f"{shown} is larger than 10 MB", Place(shown, 1), fix="is this the right file?")
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CtcError(
            Problem(
                "C101", "the text is not UTF-8", Place(shown, line), fix="save the file as UTF-8 (plain text)"
            )
        ) from None
    return parse_document(text, shown)


def parse_document(text: str, path: str) -> Document:
    """`text` as a Document; `path` is the name errors show."""
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    deep = _too_deep(text)
    if deep:
        raise CtcError(
            Problem(
                "C101",
                f"more than {NESTING_LIMIT} brackets within brackets",
                Place(path, deep, _clip(lines[deep - 1])),
                fix="no table of a study or model is nested deeper than three",
            )
        )
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CtcError(_syntax_problem(str(error), lines, path)) from None
    except (ValueError, OverflowError, RecursionError):  # an integer that Python does not read: 4300 digits
        line = next((n for n, row in enumerate(lines, 1) if re.search(r"\d{4301}", row)), 1)
        raise CtcError(
            Problem(
                "C101",
                "a number of more than 4300 digits",
                Place(path, line, _clip(lines[line - 1])),
                fix="write a number such as 1e6",
            )
        ) from None
    places = {key: Place(path, line, _clip(lines[line - 1])) for key, line in index_lines(text).items()}
    return Document(path, text, data, places)


def describe(value: Any) -> str:
    """A value as an error message names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value[:60]}"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "an integer of more than 20 digits"
    if isinstance(value, (int, float)):
        return f"{value}"
    return f"a {type(value).__name__}"


def toml_key(key: str) -> str:
    """A key as TOML writes it."""
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)


def toml_value(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def index_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of each key path of a valid TOML text."""
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}  # tables of each [[array]] so far
    here: KeyPath = ()  # the table whose keys follow
    stack: list[tuple[str, KeyPath]] = []  # open brackets of a value, with the path of what is inside
    key: list[str] = []  # parts of the key being read
    mode = "key"  # key | value | header
    header_line, double, line = 1, False, 1
    tokens = _TOKEN.findall(text)
    for position, token in enumerate(tokens):
        start_line, line = line, line + token.count("\n")
        first = token[0]
        if first == "#" or (first.isspace() and token != "\n"):
            continue
        if mode == "key" and not stack:
            if token == "\n":
                key = []
            elif token == "[" and not key:
                mode, header_line, double = "header", line, tokens[position + 1 : position + 2] == ["["]
            elif token == "=":
                path = _record(found, (*here, *key), len(here), start_line)
                mode, key, stack = "value", [], [("=", path)]
            elif token != ".":
                key.append(_unquote(token))
        elif mode == "header":
            if token == "]":
                if key:
                    here = _enter(found, counts, key, double, header_line)
                    key = []
            elif token == "\n":
                mode = "key"
            elif token not in "[.":
                key.append(_unquote(token))
        else:
            mode, key = _inside_value(token, start_line, stack, key, found)
    return found


def _inside_value(
    token: str, line: int, stack: list[tuple[str, KeyPath]], key: list[str], found: dict[KeyPath, int]
) -> tuple[str, list[str]]:
    """One token of a value; `stack` holds the key's own "=" at the bottom, then open brackets and inner
    keys.
    """
    kind, path = stack[-1]
    if token == "\n":
        if kind == "=" and len(stack) == 1:
            stack.pop()
            return "key", []
        return "value", key
    if kind == "[" and token not in ",]":
        found.setdefault(path, line)
    if token in "[{" and kind in "=[":
        stack.append((token, (*path, 0) if token == "[" else path))
    elif token in "]}":
        if kind == "=" and len(stack) > 1:  # the value of the last inner key ends with its table
            stack.pop()
        stack.pop()
        return "value", []
    elif token == ",":
        if kind == "=" and len(stack) > 1:
            stack.pop()
        elif kind == "[":
            last = path[-1]
            stack[-1] = ("[", (*path[:-1], last + 1 if isinstance(last, int) else 0))
    elif kind == "{":
        if token == "=":
            stack.append(("=", _record(found, (*path, *key), len(path), line)))
            return "value", []
        if token != ".":
            key.append(_unquote(token))
        return "value", key
    return "value", []


def _record(found: dict[KeyPath, int], path: KeyPath, known: int, line: int) -> KeyPath:
    for length in range(known + 1, len(path) + 1):  # a dotted key opens the tables on its way
        found.setdefault(path[:length], line)
    return path


def _enter(
    found: dict[KeyPath, int], counts: dict[KeyPath, int], key: list[str], double: bool, line: int
) -> KeyPath:
    """The path of a [header] or [[header]], with the position of the last table of every array on the way."""
    path: KeyPath = ()
    for position, part in enumerate(key):
        path = (*path, part)
        found.setdefault(path, line)
        if double and position == len(key) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
            found.setdefault(path, line)
    return path


def _unquote(token: str) -> str:
    if token[0] == "'":
        return token.strip("'")
    if token[0] == '"':
        try:
            return str(tomllib.loads(f"k = {token}")["k"])
        except tomllib.TOMLDecodeError:
            return token.strip('"')
    return token


def _too_deep(text: str) -> int:
    """Line at which brackets are nested beyond the limit, 0 if nowhere. Without recursion, on any text."""
    if text.count("[") + text.count("{") <= NESTING_LIMIT:
        return 0
    depth = 0
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        line += token.count("\n")
        if token in ("[", "{"):
            depth += 1
            if depth > NESTING_LIMIT:
                return line
        elif token in ("]", "}"):
            depth = max(depth - 1, 0)
    return 0


def _syntax_problem(message: str, lines: list[str], path: str) -> Problem:
    match = _AT.search(message)
    at_end = match is None or match.group(1) is None
    line = len(lines) if match is None or at_end else min(int(match.group(1)), len(lines))
    column = 1 if match is None or at_end else int(match.group(2))
    what = _AT.sub("", message)
    text = lines[line - 1]
    odd = next((c for c in text.split("#", 1)[0] if ord(c) > 127), "")
    after = text.partition("=")[2].strip()
    fix = 'a line is `key = value`; text goes in quotes: name = "growth"'
    if odd and odd in _CURLY:
        fix = 'write straight quotes: "'
    elif odd and not text.partition("=")[0].isascii():
        what = f"{what}: {odd!r} is {unicodedata.name(odd, 'a character outside ASCII')}"
        fix = "keys are written with plain letters a-z, digits, _ and -"
    elif any(word in what for word in ("overwrite", "twice", "Duplicate", "mutate")):
        what = f"this key or table is there twice ({what})"
        fix = "remove one of the two, or give it another name"
    elif "Illegal character" in what and after[:1] in ('"', "'"):
        fix = "close the text with a quote on its line, and write no control characters"
    elif re.match(r"[+-]?[0-9]+,[0-9]", after):
        fix = f"write a decimal point: {after.replace(',', '.', 1)[:40]}"
    elif re.match(r"[+-]?0[0-9]", after):
        fix = "write the number without a leading zero"
    elif re.match(r"[+-]?\.[0-9]", after):
        fix = "write a digit before the point: 0.5"
    elif "Invalid value" in what:
        fix = 'text goes in quotes ("day"), switches are true or false, numbers are written 1e6 or 0.5'
    word = text[max(column - 1, 0) :].split(" ", 1)[0][:40]
    return Problem("C101", f"not valid TOML: {what}", Place(path, line, _clip(text)), fix=fix, word=word)


def _clip(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."
