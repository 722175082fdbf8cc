"""Commands for clusters: a study as jobs of a scheduler, and what became of them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from ctcdyn.cli.studies import Overrides, StudyFile

_TIME = re.compile(r"(\d+-)?\d{1,4}(:\d{1,2}){0,2}")  # the forms that sbatch takes
_LEAST = 300  # s: shards are told to stop 2 to 3 minutes before their limit


def submit(
    study_file: StudyFile,
    shards: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Tasks of the job array; default: 10, fewer below 2560 trajectories.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the jobs go; default: STUDY.jobs.", show_default=False),
    ] = None,
    overrides: Overrides = None,
    time: Annotated[
        str, typer.Option(metavar="H:MM:SS", help="Limit of a job; a shard that reaches it is requeued.")
    ] = "2:00:00",
    cpus: Annotated[int, typer.Option(min=1, metavar="C", help="Cores of a shard.")] = 1,
    memory: Annotated[
        str | None, typer.Option(metavar="4G", help="Memory of a job; default: the site's.", show_default=False)
    ] = None,
    partition: Annotated[
        str | None, typer.Option(metavar="P", help="Partition; default: the site's.", show_default=False)
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Only show what would be written.")] = False,
) -> None:
    """Write a study as SLURM jobs into a folder, and submit them."""
    if not _TIME.fullmatch(time) or seconds(time) < _LEAST:
        raise typer.BadParameter(f"{time!r} is not H:MM:SS of at least 5 minutes", param_hint="--time")
    if memory is not None and not re.fullmatch(r"\d+[KMGT]?", memory):
        raise typer.BadParameter(f"{memory!r} is not a size such as 4G", param_hint="--memory")
    if partition is not None and not re.fullmatch(r"[\w.-]+(,[\w.-]+)*", partition):
        raise typer.BadParameter(f"{partition!r} is not the name of a partition", param_hint="--partition")
    from ctcdyn.model.load import prepare

    study, resolved = prepare(study_file, list(overrides or []))
    from ctcdyn import submission

    site = submission.Site(time, cpus, memory, partition)
    shards = shards or submission.few(study)
    files = submission.files_of(study, resolved, shards, site)
    if only_print:
        print("\n".join(f"# ---- {name}\n{text}" for name, text in files.items()), end="")
        return
    target = folder if folder is not None else Path(f"{study_file.stem}.jobs")
    submission.write(target, files)
    print(f"wrote    {target}: {', '.join(submission.SCRIPTS)} and the study as it is now")
    print(submission.submit(target, shards))
    print(f"next     ctcdyn status {shlex.quote(str(target))}")


def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of `submit`.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show which shards are done, and how to submit what is missing."""
    from ctcdyn import submission

    found = submission.status(folder)
    print(json.dumps(found, indent=2) if as_json else submission.status_text(found))


def seconds(time: str) -> int:
    """A time limit as SLURM reads it: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S.

    >>> [seconds(text) for text in ("90", "90:30", "2:00:00", "1-12", "1-0:30")]
    [5400, 5430, 7200, 129600, 88200]
    """
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    units = (3600, 60, 1) if dash or len(parts) == 3 else (60, 1)
    return int(days or 0) * 86400 + sum(number * unit for number, unit in zip(parts, units))
