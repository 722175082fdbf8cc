"""`ctcdyn selftest --published`: published figures beside what studies in configs/published compute, and their page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctcdyn.errors import CtcError, Exit, Problem

if TYPE_CHECKING:
    from ctcdyn.published import Judged
    from ctcdyn.results import Results

MADE = "<!-- made by `ctcdyn selftest --published -o docs/published.md`: do not edit -->"


def judged(folder: Path) -> Iterator[tuple[Path, list[Judged]]]:
    """Each study of a folder that has figures, in the order of the names, with what comes out.

    Studies that differ in nothing but their figures are run once; those whose figures follow from parameters, not
    at all. Raises CtcError of a study that cannot be used.
    """
    from ctcdyn import study
    from ctcdyn.model.load import prepare
    from ctcdyn.published import judge, needs_run

    with tempfile.TemporaryDirectory() as scratch:
        runs: dict[str, Results] = {}
        try:
            for path in sorted(folder.glob("*.toml")):
                if path.name.endswith(".model.toml"):
                    continue
                file = Path(scratch) / f"{path.stem}.h5"
                plan, resolved = prepare(path, [f"output.file={json.dumps(str(file))}", 'output.keep="none"'])
                if not resolved.figures:
                    continue
                results = None
                if needs_run(resolved.figures):
                    told = {
                        key: value
                        for key, value in plan.resolved().items()
                        if key not in ("published", "output")
                    }
                    key = json.dumps(told, sort_keys=True)
                    if key not in runs:
                        runs[key] = study.run(plan)
                    results = runs[key]
                yield path, judge(resolved.figures, resolved.network, results)
        finally:
            for one in runs.values():
                one.close()


def selftest_published(output: Path | None) -> None:
    """Print the lists, write the page, and raise (exit 7) where a figure that must be met is missed."""
    from ctcdyn.cli.studies import configs
    from ctcdyn.published import counted, listed

    if output is not None:
        _may_replace(output)
    found = list(judged(configs() / "published"))
    rows = [row for _, mine in found for row in mine]
    print(listed(rows))
    print(f"\n{counted(rows)}")
    if output is not None:
        output.write_text(page(found), encoding="utf-8")
    failed = [row.figure.table.name for row in rows if row.failed]
    if failed:
        what = f"{len(failed)} published figures are missed that must be met: {', '.join(failed)}"
        fix = "do not trust results of this installation; report this with the output of `ctcdyn doctor`"
        raise CtcError(Problem("B901", what, fix=fix), exit=Exit.NO)


def _may_replace(output: Path) -> None:
    """A page that the command made is made anew; another file is not touched."""
    try:
        if output.exists() and not output.read_text(encoding="utf-8").startswith(MADE):
            problem = Problem("R502", f"{output} exists", fix="give another name with -o, or remove it first")
            raise CtcError(problem, exit=Exit.OUTPUT)
        output.touch()
    except OSError as error:
        problem = Problem(
            "R503", f"cannot write {output}: {error.strerror}", fix="give another place with -o"
        )
        raise CtcError(problem, exit=Exit.OUTPUT) from None


def page(found: Sequence[tuple[Path, Sequence[Judged]]]) -> str:
    """The page of all figures in Markdown."""
    from ctcdyn.published import LISTS, MISSED, SAYS, UNKNOWN, counted

    rows = [(path, row) for path, mine in found for row in mine]
    lines = [MADE, "", *_HEAD, "", *(f"- {line}" for line in counted([row for _, row in rows]).splitlines()), ""]
    for used_for, title in LISTS.items():
        mine = [(path, row) for path, row in rows if row.figure.table.used_for == used_for]
        third = {"rate": "it set", "prediction": "it rests on"}.get(used_for, "by")
        lines += [f"## {title.capitalize()}", "", f"{SAYS[used_for].capitalize()}.", ""]
        lines += [
            f"| result | published | here | | measured | {third} | source | study |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for path, row in mine:
            table = row.figure.table
            verdict = row.verdict if row.verdict not in (MISSED, UNKNOWN) else f"**{row.verdict}**"
            cells = (
                table.name,
                row.published,
                row.computed,
                verdict,
                table.measured or "",
                table.rests_on or "",
            )
            lines.append(
                f"| {' | '.join(cells)} | {table.source} | [{path.stem}](../configs/published/{path.name}) |"
            )
        lines.append("")
    return "\n".join(lines)


_HEAD = (
    "# Published figures",
    "",
    "What `ctcdyn selftest --published` computes, one study of `configs/published` after the other, in three lists",
    "that are never mixed. A range is what the source gives; of counts it is the 95 % interval of a share (Wilson).",
    "*Inside* is said of a number within a published range and of nothing else: where no range is published, none is",
    "made up, and a sign or an order alone is no hit. A study says at its top what was measured and what was assumed;",
    "`ctcdyn run` of it prints its figures, `used_for` and the other keys are in",
    "[language.md](language.md#published-figures). What only tests hold, what the page on circulating tumour cells",
    "claims, and what is not compared is in [claims.md](claims.md). None of it is for clinical use.",
)
