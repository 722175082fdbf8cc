"""The page itself: everything that comes from a file is escaped before it stands in the template."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from ctcdyn import plots
from ctcdyn.columns import chances
from ctcdyn.errors import CtcError
from ctcdyn.plots._groups import design
from ctcdyn.report._answers import answers
from ctcdyn.report._tables import Table, failures, tables
from ctcdyn.wording import NOTICE, grouped

if TYPE_CHECKING:
    from ctcdyn.plots import Reference
    from ctcdyn.results import Results

TEMPLATE = Path(__file__).parents[1] / "templates" / "report.html"
# what they show first; a kind that the result cannot give is left out
KINDS = ("km", "hazard", "fates", "organs", "lesions", "heatmap", "tornado", "bands")
FEW = 20  # events from which on a hazard says something
IGNORED = {"--overwrite", "--resume"}  # of a command: they change no result
TAKING = {"--progress", "--threads"}  # the same, with a value
LONG = ("config_toml", "config_resolved_json", "model_source", "kernel_source")


def page(results: Results, references: Sequence[Reference]) -> str:
    """The whole page as text."""
    told = failures(results)
    known = any(status.ok for status in results.counts)
    drawn = _pictures(results, references) if known else []
    schema = results.schema
    number = f"{grouped(schema.count)} trajectories"
    arms = f", {len(schema.arms)} arms: {', '.join(schema.arms)}" if len(schema.arms) > 1 else ""
    parts = {
        "title": html.escape(schema.title or "Result"),
        "about": html.escape(
            f"{number}, method {schema.method}, seed {results.provenance.get('seed', 'unknown')}{arms}"
        ),
        "study": _study(results),
        "notice": html.escape(NOTICE),
        "failures": _failures(results, told) if told else "",
        "answer": "\n".join(f"<p>{html.escape(line)}</p>" for line in answers(results)),
        "pictures": _section("Pictures", "pictures", "\n".join(drawn)) if drawn else "",
        "tables": "\n".join(_table(table) for table in tables(results)) or "<p>None.</p>",
        "again": _again(results),
        "provenance": _provenance(results),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(parts)


def _study(results: Results) -> str:
    """What the study says of itself in the comment of its first line."""
    first = str(results.provenance.get("config_toml", "")).partition("\n")[0]
    text = first.lstrip("# ").partition(".toml: ")[2] if first.startswith("#") else ""
    return f"<p>{html.escape(text)}</p>\n" if text else ""


def _section(title: str, name: str, body: str) -> str:
    head = f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>'
    return f'{head}\n<div class="pictures">\n{body}\n</div>\n</section>'


def _failures(results: Results, table: Table) -> str:
    rows = _table(Table("How they failed", table.heads, table.rows, table.note))
    command = f"ctcdyn inspect {shlex.quote(_file(results))} --failures"
    return (
        f'<section class="failures" role="alert">\n<h2>{html.escape(table.caption)}</h2>\n{rows}\n'
        f"<p>Which ones: <code>{html.escape(command)}</code></p>\n</section>"
    )


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in table.heads)
    heads = heads.replace('<th scope="col">', '<th scope="col" class="text">', 1)
    lines = []
    for row in table.rows:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        lines.append(f'<tr><th scope="row">{html.escape(row[0])}</th>{cells}</tr>')
    note = f'\n<p class="small">{html.escape(table.note)}</p>' if table.note else ""
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table>\n<caption>{html.escape(table.caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>{note}"
    )


def fitting(results: Results) -> list[tuple[str, list[str]]]:
    """Kinds of pictures that say something of this result, with the columns of each."""
    found: list[tuple[str, list[str]]] = []
    seen = int((results.event_observed == 1).sum()) if results.event_kind and "event_time" in results else 0
    computed = [columns[""] for columns in chances(results).values()]
    for kind in KINDS:
        if kind == "hazard" and seen < FEW:
            continue
        if kind == "fates" and not results.schema.fates:
            continue
        if kind in ("heatmap", "tornado") and not seen and not design(results):
            continue
        if kind == "bands" and computed:
            found.append((kind, computed))
            continue
        found.append((kind, []))
    return found


def _pictures(results: Results, references: Sequence[Reference]) -> list[str]:
    """Each as an image in the page, with what it shows as text and the command that draws it."""
    found = []
    file = shlex.quote(_file(results))
    for kind, names in fitting(results):
        points = references if "reference" in plots.load(kind).TAKES else ()
        try:
            picture = plots.rendered(results, kind, "svg", names, points, outlines=True)
        except CtcError:
            continue
        text = plots.about(kind)
        wide = ' class="wide"' if _width(picture) > 100 else ""
        command = f"ctcdyn plot {file} --kind {kind}" + (f" --species {','.join(names)}" if names else "")
        command += f" -o {kind}.svg"
        data = base64.b64encode(picture).decode("ascii")
        found.append(
            f'<figure{wide}>\n<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(text, quote=True)} '
            f'The numbers stand in the tables below.">\n<figcaption>{html.escape(text)}<br><code>{html.escape(command)}'
            "</code></figcaption>\n</figure>"
        )
    return found


def _width(picture: bytes) -> float:
    """Width of an SVG of matplotlib, mm."""
    return float(picture.partition(b'width="')[2].partition(b"pt")[0]) * 25.4 / 72


def _file(results: Results) -> str:
    return results.path.name if results.path is not None else "result.h5"


def _again(results: Results) -> str:
    """The command of the run, without the folders of the machine it ran on, and its study."""
    words = shlex.split(str(results.provenance.get("command", "")))
    kept: list[str] = []
    for before, word in zip(["", *words], words):
        if (
            before in TAKING
            or word in IGNORED
            or word in TAKING
            or word.startswith(tuple(f"{x}=" for x in TAKING))
        ):
            continue
        kept.append(Path(word).name if word.endswith((".toml", ".h5")) and "=" not in word else word)
    text = str(results.provenance.get("config_toml", ""))
    if kept[1:2] == ["run"]:
        command = f"<pre>{html.escape(shlex.join(['ctcdyn', *kept[1:]]))}</pre>"
    else:
        command = "<p>Save the study below as <code>study.toml</code>:</p>\n<pre>ctcdyn run study.toml</pre>"
    study = (
        f"<details open><summary>The study</summary><pre>{html.escape(text)}</pre></details>" if text else ""
    )
    note = "The same study, seed and version give the same bytes: <code>ctcdyn compare</code> tells."
    return f'{command}\n<p class="small">{note}</p>\n{study}'


def _provenance(results: Results) -> str:
    rows = [
        (name.replace("_", " "), str(value)) for name, value in results.provenance.items() if name not in LONG
    ]
    rows = [(name, value) for name, value in rows if value and name != "command"]
    lines = "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td class="text">{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    head = '<div class="scroll"><table>\n<caption>Versions, seed, machine</caption>'
    parts = [f"{head}\n<tbody>\n{lines}\n</tbody></table></div>"]
    model = str(results.provenance.get("model_source", ""))
    if model:
        parts.append(f"<details><summary>The model</summary><pre>{html.escape(model)}</pre></details>")
    resolved = str(results.provenance.get("config_resolved_json", ""))
    if resolved:
        with contextlib.suppress(ValueError):  # else it is shown as it is
            resolved = json.dumps(json.loads(resolved), indent=1, ensure_ascii=False)
        parts.append(f"<details><summary>Every setting</summary><pre>{html.escape(resolved)}</pre></details>")
    return "\n".join(parts)
