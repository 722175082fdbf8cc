"""The page of a mechanism, made of its file: what happens, what it adds to a model, its figures, what would refute it.

`python -m ctcdyn.model.pages FILE.md` writes the pages of all built-in mechanisms into a Markdown file, below the line
`MARK`; a test compares docs/mechanisms.md with it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.model.mechanism import Mechanism, read_mechanism

MARK = "<!-- below: made of the files by `python -m ctcdyn.model.pages docs/mechanisms.md`; do not edit -->"
ASSUMED = "assumed"  # how the source of a parameter begins for which nobody has measured a value
HEAD = ("parameter", "value", "bounds", "source", "what")


def mechanism_names() -> list[str]:
    """Built-in mechanisms, in the order of the page about circulating tumour cells."""
    folder = plugins.find("mechanism", "nk_cells").parent
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    return sorted(names, key=lambda name: built_in(name).number or 1000)


def built_in(name: str) -> Mechanism:
    """A mechanism by its name, or by the path of a file. Raises CtcError (C112) with the nearest name."""
    file = name if name.endswith(".py") else None
    return read_mechanism(Path(name).stem if file else name, file, Path(), None, "mechanism")


def is_assumed(source: str) -> bool:
    """Whether a source says that the value is nobody's measurement."""
    return source.lower().startswith(ASSUMED)


def added(mechanism: Mechanism) -> list[tuple[str, str]]:
    """(kind, sentence) of what a mechanism adds to a model, in the order of its text; names and equations as code."""
    data = mechanism.document.data
    found: list[tuple[str, str]] = []
    for name, entry in data.get("species", {}).items():
        stage = f", stage {entry['stage']}" if "stage" in entry else ""
        size = f", {entry['cells']} cells each" if entry.get("cells", 1) != 1 else ""
        pinned = ", pinned" if entry.get("continuous") else ""
        found.append(("species", f"`{name}`{stage}{size}{pinned}{_if(entry)}"))
    for entry in data.get("reaction", []):
        law = f"k = `{entry['k']}`" if "k" in entry else f"rate = `{entry.get('rate')}`"
        process = f", process {entry['process']}" if "process" in entry else ""
        told = f"`{entry.get('name')}`: `{entry.get('equation')}`, {law}{process}{_fate(entry)}{_if(entry)}"
        found.append(("reaction", told))
    for entry in data.get("hazard", []):
        fate = entry.get("fate", entry.get("name"))
        found.append(("hazard", f"`{entry.get('name')}`: {_by(entry.get('at'))}{_fate({'fate': fate})}{_if(entry)}"))
    for name, entry in data.get("flag", {}).items():
        parts = [f"carried at {', '.join(entry.get('at', ()))}"]
        parts += [f"not beside {', '.join(entry['without'])}"] if "without" in entry else []
        parts += [f"{key} {_by(entry[key])}" for key in ("gain", "loss", "share", "factors") if key in entry]
        found.append(("flag", f"`{name}`: {'; '.join(parts)}{_if(entry)}"))
    for name, entry in data.get("stage", {}).items():
        parts = [f"like {entry['like']}"] if "like" in entry else []
        parts += [f"factors {_by(entry['factors'])}"] if "factors" in entry else []
        found.append(("stage", f"{name}: {'; '.join(parts)}{_if(entry)}"))
    for process, given in data.get("scale", {}).items():
        for entry in given if isinstance(given, list) else [given]:
            factor = entry.get("factor") if isinstance(entry, dict) else entry
            found.append(("scale", f"`{process}` times `{factor}`{_if(entry)}"))
    found += [
        ("noise", f"`{entry.get('name')}` ({entry.get('kind')}) on `{entry.get('parameter')}`{_if(entry)}")
        for entry in data.get("noise", [])
    ]
    found += [
        ("observable", f"`{name}` = `{entry.get('expr', entry.get('use'))}`{_if(entry)}")
        for name, entry in data.get("observables", {}).items()
    ]
    if "lesion" in data:
        found.append(("lesions", f"{', '.join(sorted(set(data['lesion']) - {'if'}))}{_if(data['lesion'])}"))
    if "treatment" in data:
        regimen = ", ".join(f"{key} {_plain(value)}" for key, value in data["treatment"].items())
        found.append(("treatment", f'`use = "{mechanism.name}"`: {regimen}'))
    return found


def options(mechanism: Mechanism) -> list[str]:
    """A sentence for each choice, and for each that is refused."""
    found = [f"`{name}`: {', '.join(values)} (default {values[0]})" for name, values in mechanism.options.items()]
    reasons: dict[str, list[str]] = {}
    for entry in mechanism.refusals():
        choice = " and ".join(f"{key} = {_plain(value)}" for key, value in entry.get("if", {}).items())
        reasons.setdefault(f"{entry.get('why')}; {entry.get('fix')}", []).append(choice)
    return found + [f"refused: {', '.join(choices)}, since {reason}" for reason, choices in reasons.items()]


def parameters(mechanism: Mechanism) -> list[tuple[str, str, str, str, str]]:
    """(name in the model, value with its unit, bounds, source, what) of each parameter."""
    found = []
    for name, entry in mechanism.document.data.get("parameters", {}).items():
        value = f"= {entry['expr']} ({entry.get('unit', '1')})" if "expr" in entry else _plain(entry.get("value"))
        bounds = " to ".join(map(_plain, entry.get("bounds", ())))
        what = f"{entry.get('doc', '')}{_if(entry)}"
        found.append((mechanism.full_name(name), value, bounds, str(entry.get("source", "")), what))
    return found


def assumed(mechanism: Mechanism) -> list[str]:
    """Names, in the model, of parameters whose value nobody has measured."""
    return [name for name, _, _, source, _ in parameters(mechanism) if is_assumed(source)]


def page(mechanism: Mechanism) -> str:
    """A mechanism as Markdown, under a heading of its name."""
    number = f"Mechanism {mechanism.number}. " if mechanism.number else ""
    lines = [f"### {mechanism.name}", "", f"**{mechanism.title}.**", ""]
    lines += [mechanism.page, ""] if mechanism.page else []
    lines += [f"{number}It needs {stages(mechanism)}. It adds:", ""]
    lines += [f"- {kind} {told}" for kind, told in added(mechanism)]
    chosen = options(mechanism)
    lines += ["", "Options:", "", *(f"- {line}" for line in chosen)] if chosen else []
    rows = parameters(mechanism)
    if rows:
        lines += ["", f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
        lines += ["| " + " | ".join([f"`{row[0]}`", *map(_cell, row[1:])]) + " |" for row in rows]
        guesses = assumed(mechanism)
        lines += ["", f"Assumed are {len(guesses)} of {len(rows)}" + (f": {', '.join(guesses)}." if guesses else ".")]
    lines += ["", f"Refuted by: {mechanism.refuted_by}"] if mechanism.refuted_by else []
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n")) + "\n"


def pages() -> str:
    """The pages of all built-in mechanisms."""
    known = [built_in(name) for name in mechanism_names()]
    head = ["| | mechanism | | needs |", "|---|---|---|---|"]
    head += [f"| {x.number or ''} | [`{x.name}`](#{x.name}) | {x.title} | {stages(x)} |" for x in known]
    return "\n".join([*head, "", *map(page, known)])


def with_pages(text: str) -> str:
    """A text with all pages below the line MARK, in place of what stood there."""
    above, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError(f"the text has no line {MARK}")
    return f"{above}{MARK}\n\n{pages()}"


def stages(mechanism: Mechanism) -> str:
    """What it needs of the model."""
    wanted = mechanism.acts_on
    return f"a species of stage {' or '.join(wanted)}" if wanted else "nothing"


def _if(entry: Any) -> str:
    asked = entry.get("if", {}) if isinstance(entry, dict) else {}
    told = " and ".join(f"{k} = {' or '.join(v) if isinstance(v, list) else v}" for k, v in asked.items())
    return f" (with {told})" if told else ""


def _fate(entry: Any) -> str:
    return f", fate {entry['fate']}" if entry.get("fate") else ""


def _by(value: Any) -> str:
    """A table of expressions by the name of what they act on."""
    if isinstance(value, dict):
        return ", ".join(f"{key} `{item}`" for key, item in value.items())
    return f"`{value}`"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " or ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(with_pages(path.read_text(encoding="utf-8")), encoding="utf-8")
