"""How two results differ, as text for people and as plain data for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ctcdyn.store.content import Comparison
from ctcdyn.wording import SHOWN, grouped, or_none


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Everything `ctcdyn compare --json` prints."""
    return {
        "first": str(comparison.first),
        "second": str(comparison.second),
        "same": comparison.same,
        "sha256": [comparison.first_hash, comparison.second_hash],
        "differences": [
            {key: or_none(value) if isinstance(value, float) else value for key, value in entry.items()}
            for entry in map(dataclasses.asdict, comparison.differences)
        ],
        "provenance": {name: list(pair) for name, pair in comparison.provenance.items()},
    }


def comparison_text(comparison: Comparison) -> str:
    """The form of a comparison for people; its first word is "same" or "different"."""
    lines = ["same content" if comparison.same else "different content"]
    lines += [
        f"  {comparison.first_hash}  {comparison.first}",
        f"  {comparison.second_hash}  {comparison.second}",
    ]
    for entry in comparison.differences:
        line = f"  {entry.path:<18}{entry.what}"
        if entry.elements:
            line += f": {grouped(entry.elements)} of {grouped(entry.size)}"
        if entry.absolute:
            line += f", at most {entry.absolute:.3g} absolute, {entry.relative:.3g} relative"
        lines.append(line)
    if comparison.provenance:
        lines.append("made differently (no part of the content):")
        rows = [row for name, pair in comparison.provenance.items() for row in _changes(name, *pair)]
        width = max(18, *(len(name) + 2 for name, _ in rows))
        lines += [f"  {name:<{width}}{text}" for name, text in rows]
    return "\n".join(lines)


def _changes(name: str, before: str | float | None, after: str | float | None) -> list[tuple[str, str]]:
    """(name, both values) of an entry that differs; of a table in JSON one for each key that does."""
    if name.endswith("_json"):
        try:
            first, second = _flat(json.loads(str(before))), _flat(json.loads(str(after)))
        except ValueError:
            pass
        else:
            keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
            return [(name, ""), *((f"  {key}", f"{first.get(key, '-')}  |  {second.get(key, '-')}") for key in keys)]
    return [(name, f"{_brief(before)}  |  {_brief(after)}")]


def _flat(value: Any, key: str = "") -> dict[str, str]:
    """Dotted keys of nested tables, each with its value as JSON."""
    if not isinstance(value, dict):
        return {key: json.dumps(value)}
    inner = (_flat(item, f"{key}.{name}" if key else name).items() for name, item in value.items())
    return {name: text for items in inner for name, text in items}


def _brief(value: str | float | None) -> str:
    if value is None:
        return "-"
    text = str(value)
    if "\n" in text or len(text) > SHOWN // 2:
        lines = len(text.splitlines())
        return f"{lines} line{'s' if lines != 1 else ''}, {len(text)} characters"
    return text
