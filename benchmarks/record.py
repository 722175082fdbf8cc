"""Every figure of docs/performance.md and of the README's speed: measured, kept with its circumstances, and written.

    python benchmarks/record.py                     measures all sections, then writes the pages
    python benchmarks/record.py kernels start       these sections alone
    python benchmarks/record.py --render            writes the pages from the records that are there
    python benchmarks/record.py --check             says (exit code 1) whether the pages are what the records give

A section is a file in `sections/`: `measure()` gives what it found as plain data, which is kept in
docs/performance/NAME.json with machine, versions, date and commit; `lines(record)` gives the text that stands on the
page between the section's markers; `picture(record, path)`, where there is one, draws docs/performance/NAME.svg. What
stands outside of markers is written by hand. Close other programs first: a ratio bears them, a wall time does not.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
RECORDS = ROOT / "docs" / "performance"
PAGES = (ROOT / "docs" / "performance.md", ROOT / "README.md")
FORMAT = "ctcdyn performance 1"
MARKED = re.compile(r"<!-- (?P<name>\w+):.*? -->\n(?P<text>.*?)<!-- end of (?P=name) -->\n", re.DOTALL)
MADE = "made by `python benchmarks/record.py {}`, do not edit"


def sections() -> dict[str, ModuleType]:
    """All of them by name, in order of their files."""
    sys.path[:0] = [path for path in (str(HERE),) if path not in sys.path]
    names = sorted(path.stem for path in (HERE / "sections").glob("[a-z]*.py"))
    return {name: import_module(f"sections.{name}") for name in names}


def about() -> dict[str, str]:
    """Machine, versions, date and commit; how busy the machine was."""
    import os
    import platform

    from ctcdyn.cli.bench import about as known

    found = {key: value for key, value in known().items() if key not in ("host", "slurm_job_id")}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = re.search(r"model name\s*:\s*(.+)", text)
        found["processor"] = model[1] if model else platform.processor()
    except OSError:
        found["processor"] = platform.processor()
    return found | {"load": " ".join(f"{x:.1f}" for x in os.getloadavg())}


def measure(name: str, section: ModuleType) -> None:
    """Measure one section and keep its record; what has records of its own keeps them itself."""
    before = about()
    record = {"format": FORMAT, "section": name, "about": before, "found": section.measure()}
    if hasattr(section, "record"):
        return
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def load(name: str, section: ModuleType) -> dict[str, Any] | None:
    """The record of a section, None where it was never measured."""
    if hasattr(section, "record"):
        found: dict[str, Any] | None = section.record()
        return found
    path = RECORDS / f"{name}.json"
    if not path.exists():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if record["format"] != FORMAT or record["section"] != name:
        raise SystemExit(f"record: {path} is no record of {name}")
    return record


def where(record: dict[str, Any]) -> str:
    """One line: when and on what."""
    a = record["about"]
    if "machine" in a:  # a record of before there were records
        return f"*{a['machine']}*"
    versions = ", ".join(f"{key} {a[f'{key}_version']}" for key in ("numba", "llvmlite", "numpy"))
    commit = f", commit {a['commit'][:10]}" if "commit" in a else ""
    machine = f"{a.get('processor', '')} ({a['cpu_name']}), {a['cores']} cores".strip()
    load = f", load {a['load'].split()[0]}" if "load" in a else ""
    return f"*{a['date'][:10]}, {machine}{load}, Python {a['python']}, {versions}{commit}.*"


def page(text: str, known: dict[str, ModuleType]) -> str:
    """The text of a page with what stands between its markers made anew."""

    def made(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in known:
            raise SystemExit(f"record: there is no section {name}: {', '.join(known)}")
        section = known[name]
        of = getattr(section, "OF", name)
        record = load(of, known[of])
        if record is None:
            lines = ["Not measured yet: figures of other days are at the end of docs/performance.md."]
        else:
            drawn = [f"![{section.__doc__}](performance/{name}.svg)", ""] if hasattr(section, "picture") else []
            lines = [*drawn, *section.lines(record), "", where(record)]
        body = "\n".join(lines)
        return f"<!-- {name}: {MADE.format(of)} -->\n\n{body}\n\n<!-- end of {name} -->\n"

    return MARKED.sub(made, text)


def render(known: dict[str, ModuleType]) -> None:
    """Write pages and pictures from the records."""
    for path in PAGES:
        path.write_text(page(path.read_text(encoding="utf-8"), known), encoding="utf-8")
    for name, section in known.items():
        record = load(name, section)
        if record is not None and hasattr(section, "picture"):
            draw(section, record, RECORDS / f"{name}.svg")


def draw(section: ModuleType, record: dict[str, Any], path: Path) -> None:
    """The picture of a section, the same bytes for the same record and matplotlib."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "ctcdyn", "font.size": 9}):
        section.picture(record, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = sections()
    measured = [name for name, section in known.items() if hasattr(section, "measure")]
    parser.add_argument("section", nargs="*", help=f"of {', '.join(measured)}; none: all")
    parser.add_argument("--render", action="store_true", help="write pages and pictures from the records alone")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a page is not what the records give")
    given = parser.parse_args()
    unknown = [name for name in given.section if name not in measured]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there is {', '.join(measured)}")
    if given.check:
        texts = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
        stale = [name for name, text in texts.items() if page(text, known) != text]
        absent = [name for name in measured if not (RECORDS / f"{name}.json").exists()]
        print("\n".join(f"{name} is not what the records give: python benchmarks/record.py --render" for name in stale))
        print(f"{len(texts) - len(stale)} of {len(texts)} pages are what the records give")
        print(f"without a record: {', '.join(absent) or 'none'}")
        return 1 if stale else 0
    for name in () if given.render else given.section or measured:
        print(f"== {name}", flush=True)
        measure(name, known[name])
    render(known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
