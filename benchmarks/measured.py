"""The head of each record of a measurement: what, where, with which versions, when, at which commit."""

from __future__ import annotations

from typing import Any


def header(program: str, arguments: str) -> dict[str, Any]:
    """{"program", "arguments", "about": machine, versions, date, commit}"""
    from ctcdyn.cli.bench import about

    return {"program": program, "arguments": arguments, "about": about()}
