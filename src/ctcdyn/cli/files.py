"""Commands for result files: what is in one, are two the same, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ctcdyn.plugins import available

ResultFile = Annotated[Path, typer.Argument(metavar="FILE.h5", help="A result file.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def inspect(
    file: ResultFile,
    as_json: AsJson = False,
    failures: Annotated[
        bool, typer.Option("--failures", help="Which trajectories failed, how, and their parameters.")
    ] = False,
    points: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="An outcome at each point of a sweep.", show_default=False),
    ] = None,
    sensitivity: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What an outcome depends on, by such a sweep.", show_default=False),
    ] = None,
) -> None:
    """Show what is in a result file and how it was made.

    NAME is a species, observable or event at the end; or log(NAME).
    """
    if points is not None or sensitivity is not None:
        from ctcdyn.cli.cohorts import show_sweep

        show_sweep(file, points, sensitivity, as_json)
        return
    from ctcdyn import inspection, remains

    halfway = remains.failures(file) if failures else remains.unfinished(file)
    if halfway is not None:
        text = inspection.failures_text if failures else remains.unfinished_text
        print(json.dumps(halfway, indent=2) if as_json else text(halfway))
        return
    found = inspection.failures(file) if failures else inspection.inspect(file)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print(inspection.failures_text(found) if failures else inspection.inspection_text(found))


def verify(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.h5", help="A result, or one that is not finished.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Prove what is there: read all of a result, or every segment of an unfinished run."""
    from ctcdyn import remains
    from ctcdyn.errors import Exit

    found = remains.verification(file)
    print(json.dumps(found, indent=2) if as_json else remains.verification_text(found))
    if found["damaged"]:
        raise typer.Exit(int(Exit.NO))


def replay(
    file: ResultFile,
    trajectory: Annotated[int, typer.Option(min=0, metavar="K", help="Its id.", show_default=False)],
    dense: Annotated[
        str | None,
        typer.Option(
            metavar='"1 hour"', help="Save as often as this, where that changes no path.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.csv", help="Write the path as a table.", show_default=False
        ),
    ] = None,
) -> None:
    """Run one trajectory of a result again, from the file alone, and compare it bit for bit."""
    from ctcdyn.errors import Exit
    from ctcdyn.replay import csv_text, replay_every, replay_text

    found = replay_every(file, trajectory, dense)
    print(replay_text(found))
    if output is not None:
        from ctcdyn.cli.screen import write_new

        write_new(output, csv_text(found))
        print(f"wrote    {output}")
    if found.differing:
        raise typer.Exit(int(Exit.NO))


def merge(
    target: Annotated[Path, typer.Argument(metavar="OUT.h5", help="The result to make.", show_default=False)],
    shards: Annotated[
        list[Path], typer.Argument(metavar="SHARD.h5...", help="All shards.", show_default=False)
    ],
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the full paths too, so that the shards may go.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
) -> None:
    """Make one result of all its shards: the same bytes as from one machine.

    Full paths stay in the shards, where the result finds them as long as both move together.
    """
    from ctcdyn.store.merging import merge as merge_shards

    whole = merge_shards(target, shards, overwrite, copy)
    print(f"merged   {len(shards)} shards, {whole.count} trajectories: {target}")
    if whole.kept and not copy:
        print(
            f"         the full paths of {whole.kept} are read from the shards: keep them beside it, or use --copy"
        )


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.h5", help="A result.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B.h5", help="Another.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Tell whether two results are the same, byte for byte."""
    from ctcdyn.comparison import comparison_data, comparison_text
    from ctcdyn.errors import Exit
    from ctcdyn.store.content import compare as compare_content

    found = compare_content(first, second)
    print(json.dumps(comparison_data(found), indent=2) if as_json else comparison_text(found))
    if not found.same:
        raise typer.Exit(int(Exit.NO))


def plot(
    file: ResultFile,
    kind: Annotated[
        str,
        typer.Option(metavar="|".join(available("picture")), help="What is drawn; or the path of a file."),
    ] = "bands",
    species: Annotated[
        str | None,
        typer.Option(
            metavar="a,b",
            help="Columns, events or fates; default: what the study is about.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="a,b", help="Parameters that part patients, or the axes of a heatmap.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="PNG, SVG or PDF; default: beside the result.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing picture.")] = False,
) -> None:
    """Draw a result: bands, paths, distributions, maps and more, as a journal prints them."""
    from ctcdyn import plots
    from ctcdyn.cli.pictures import published_in, references
    from ctcdyn.errors import CtcError, Exit, Problem
    from ctcdyn.results import open_results

    try:
        takes = plots.load(kind).TAKES
    except CtcError as error:
        raise CtcError([*error.problems], Exit.USAGE) from None
    picture = output or file.with_suffix(".png" if kind == "bands" else f".{Path(kind).stem}.png")
    if picture.exists() and not overwrite:
        fix = "name another file with -o, or replace it with --overwrite"
        raise CtcError(Problem("R502", f"{picture} exists", fix=fix), Exit.OUTPUT)
    with open_results(file) as results:
        points = references(published_in(results)) if "reference" in takes else ()
        print(plots.plot(results, kind, _names(species), picture, points, _names(by)))


def report(
    file: ResultFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Default: beside the result.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
) -> None:
    """Write one page of HTML: the answer with its error, pictures, tables, where it is from. It needs no network."""
    from ctcdyn.cli.pictures import published_in, references
    from ctcdyn.errors import CtcError, Exit, Problem
    from ctcdyn.report import report as write
    from ctcdyn.results import open_results

    page = output or file.with_suffix(".html")
    if page.exists() and not overwrite:
        fix = "name another file with -o, or replace it with --overwrite"
        raise CtcError(Problem("R502", f"{page} exists", fix=fix), Exit.OUTPUT)
    with open_results(file) as results:
        print(write(results, page, references(published_in(results))))


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",")] if text is not None else []
