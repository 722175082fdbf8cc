"""Commands for a study: run it, check it, begin one."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ctcdyn.config import Override, Study
    from ctcdyn.interruption import Interruption
    from ctcdyn.model.network import Network
    from ctcdyn.model.resolve import Resolved
    from ctcdyn.progress import Progress
    from ctcdyn.results import Results

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="a.b=v",
        help="Change a value of the study; may be repeated.",
        show_default=False,
    ),
]


def run(
    study_file: StudyFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Result file.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Threads; default: all usable cores.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="S", help="Seed of all streams.", show_default=False)
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="all|N|none", help="Paths kept in the file.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="i/N", help="Only part i of N, into a file of its own.", show_default=False),
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="local|dask", help="Threads of this process, or a Dask cluster.")
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler; default: a local cluster.", show_default=False),
    ] = None,
    progress: Annotated[str, typer.Option(metavar="auto|plain|json|none", help="How to report.")] = "auto",
) -> None:
    """Run a study: result file, picture and a summary."""
    from ctcdyn.progress import MODES, show

    if progress not in MODES:
        raise typer.BadParameter(f"{progress!r} is none of {', '.join(MODES)}", param_hint="--progress")
    _check_executor(executor, scheduler, threads)
    from ctcdyn.config import Override
    from ctcdyn.interruption import Interruption

    changes: list[str | Override] = [*(overrides or [])]
    if output is not None:
        text = f"output.file={json.dumps(str(output), ensure_ascii=False)}"
        changes.append(Override(text, "--output", str(output)))
    if seed is not None:
        changes.append(Override(f"ensemble.seed={seed}", "--seed", str(seed)))
    if keep is not None:
        changes.append(Override(f"output.keep={_keep_as_toml(keep)}", "--keep", keep))

    options: dict[str, Any] = {"threads": threads, "overwrite": overwrite, "resume": resume, "shard": _shard(shard)}
    options |= {"executor": executor, "scheduler": scheduler}
    with Interruption() as interruption:
        reporter = show(progress)
        plan, resolved, results = _compute(study_file, changes, interruption, reporter, output is not None, **options)
    with results:
        _tell(plan, resolved, results, overwrite)
        _judge(plan, results)


def _compute(
    study_file: Path,
    changes: list[str | Override],
    interruption: Interruption,
    reporter: Progress,
    named: bool,
    **options: Any,
) -> tuple[Study, Resolved, Results]:
    """Claim the output, check the study, and only then load what computes."""
    from ctcdyn.cli.claims import claim_early

    replaces = options["overwrite"] or options["resume"]
    changes, lock = claim_early(study_file, changes, options["shard"], named, replaces)
    try:
        if lock is not None:
            interruption.at_last(lock.release)
        from ctcdyn.model.load import prepare

        plan, resolved = prepare(study_file, changes)  # every mistake is told before anything heavy is imported
        method, reasons = _chosen(plan, resolved.network)
        for line in (_line(plan, resolved.network, method), *reasons):
            reporter.note(line)
        if all_alike(plan, resolved, method):
            reporter.note(_ALIKE.format(plan.count, ""))
        from ctcdyn import plots, study

        options |= {"meanwhile": plots.preload if plan.output.picture else None}
        return plan, resolved, study.run(plan, progress=reporter, lock=lock, interruption=interruption, **options)
    finally:
        if lock is not None:
            lock.release()
        reporter.finish()


def estimate(
    study_file: StudyFile,
    overrides: Overrides = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Threads; default: all usable cores.", show_default=False),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="i/N", help="Of part i of N.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Tell what a run will need: disk, memory, and time from a pilot of some trajectories."""
    from ctcdyn.model.load import prepare

    part = _shard(shard)
    plan, _ = prepare(study_file, list(overrides or []))
    from ctcdyn import study

    needs, expected, size = study.forecast(plan, threads=threads, shard=part)
    if as_json:
        seconds = {} if expected is None else {"seconds": expected.seconds, "at_least": expected.more}
        print(json.dumps({**needs.plain(), **seconds}, indent=2))
        return
    if expected is not None:
        print(expected.line(needs.count, size))
    print(needs.line())


def _tell(plan: Study, resolved: Resolved, results: Results, overwrite: bool) -> None:
    """Print what was found and where it is."""
    from ctcdyn.model.load import load_model
    from ctcdyn.published import judge
    from ctcdyn.summary import summary

    network = load_model(plan.model)
    scaled = {name for x in plan.treatment for name in x.scale}
    print(summary(results, network, scaled, judge(resolved.figures, resolved.network, results)))
    saved = [Path(plan.output.file)]
    drawn = plan.output.picture and any(status.ok for status in results.counts)
    if drawn:
        from ctcdyn.cli.pictures import draw_cascade
        from ctcdyn.errors import CtcError

        picture = saved[0].with_suffix(".png")
        if picture.exists() and not overwrite:
            print(
                f"{picture} exists and is kept: ctcdyn plot {saved[0]} -o another.png draws", file=sys.stderr
            )
        else:
            try:
                draw_cascade(results, network.published, picture, plan.output.picture)
                saved.append(picture)
            except CtcError as error:  # the result is there, whatever can be drawn of it
                print(f"no picture: {error}", file=sys.stderr)
    sizes = (f"{path} ({path.stat().st_size / 1e6:.2g} MB)" for path in saved)
    print(f"\nsaved    {'   '.join(sizes)}")
    named = shlex.quote(str(saved[0]))
    more = f"   ctcdyn plot {named}"
    if results.schema.kept:
        more += " --kind paths"
    elif drawn:
        more = ""  # bands are drawn, and no paths were kept
    print(f"next     ctcdyn inspect {named}{more}", file=sys.stderr)


def _judge(plan: Study, results: Results) -> None:
    """Warn of failed trajectories; raise (exit 4) when there are more than the study allows."""
    from ctcdyn.errors import CtcError, Exit, Problem

    counts = results.counts
    total = sum(counts.values())
    failed = sum(n for status, n in counts.items() if not status.ok)
    if not failed:
        return
    ways = ", ".join(f"{n} {status.meaning}" for status, n in counts.items() if not status.ok)
    what = f"{failed} of {total} trajectories failed ({100 * failed / total:.3g} %): {ways}"
    fix = f"ctcdyn inspect {plan.output.file} --failures shows which"
    if failed <= plan.limits.max_failed_fraction * total:
        print(Problem("S602", what, fix=fix).report("warning"), file=sys.stderr)
        return
    why = f"limits.max_failed_fraction is {plan.limits.max_failed_fraction:g}; the result file is complete"
    raise CtcError(Problem("S601", what, fix=fix, why=why), exit=Exit.FAILURES)


def _shard(text: str | None) -> tuple[int, int]:
    """(i, N) of "i/N"; the whole where nothing was given."""
    if text is None:
        return 1, 1
    i, _, n = text.partition("/")
    if not (f"{i}{n}".isascii() and i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise typer.BadParameter(f"{text!r} is not i/N with i from 1 to N", param_hint="--shard")
    return int(i), int(n)


def _check_executor(executor: str, scheduler: str | None, threads: int | None) -> None:
    if executor not in ("local", "dask"):
        raise typer.BadParameter(f"{executor!r} is neither local nor dask", param_hint="--executor")
    if scheduler is not None and executor != "dask":
        raise typer.BadParameter("an address needs --executor dask", param_hint="--scheduler")
    if scheduler is not None and threads is not None:
        raise typer.BadParameter("the workers of a cluster have their own", param_hint="--threads")


def _keep_as_toml(keep: str) -> str:
    if keep in ("all", "none"):
        return json.dumps(keep)
    if keep.isascii() and keep.isdecimal():
        return str(int(keep))
    raise typer.BadParameter(f'{keep!r} is neither "all", "none" nor a number', param_hint="--keep")


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.toml", help="A study or a model.", show_default=False)
    ],
    overrides: Overrides = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what every number became, and why.")
    ] = False,
) -> None:
    """Check a study or a model without running it."""
    from ctcdyn.model.load import load_model, prepare

    if _is_model(file):
        if overrides:
            raise typer.BadParameter("a model has no study whose values could be set", param_hint="--set")
        network = load_model(str(file))
        from ctcdyn.cli.explain import explain_assumed, explain_model

        if explain:
            explain_model(network)
        print(f"ok  model {_shape(network)}")
        explain_assumed(network, sources=explain)
        return

    study, resolved = prepare(file, overrides or ())
    from ctcdyn.model.deadlines import warn_of_late

    warn_of_late(study, resolved)
    from ctcdyn.cli.cohorts import explain_patients
    from ctcdyn.cli.explain import explain_assumed, explain_study

    if explain:
        explain_study(resolved, study)
    method, _ = _chosen(study, resolved.network)
    print(f"ok  study {file}: {_line(study, resolved.network, method)}")
    explain_patients(resolved, study)
    explain_assumed(resolved.network, sources=explain)
    if all_alike(study, resolved, method):
        print(_ALIKE.format(study.count // len(study.arms), " of an arm" if len(study.arms) > 1 else ""))


def _chosen(study: Study, network: Network) -> tuple[str, list[str]]:
    """The method of a study; where that is "auto", what it takes, and why; of "moments", whether it is exact."""
    method = study.simulate.method
    if method not in ("auto", "moments"):
        return method, []
    from ctcdyn.codegen.choose import choose

    choice = choose(network, study)
    head = f"auto takes {choice.method}:" if method == "auto" else "moments:"
    return choice.method, [head, *(f"  {reason}" for reason in choice.reasons)]


def all_alike(study: Study, resolved: Resolved, method: str) -> bool:
    """Whether the study asks for many trajectories that can only be the same: an ODE in which nothing is drawn."""
    from ctcdyn.model.resolve import semantics_of

    drawn = resolved.cohort.varied or any(x.jitter or x.adherence is not None for x in study.treatment)
    drawn = drawn or any(x.use == "sample" for x in resolved.network.observables)
    return study.count > len(study.arms) and not drawn and semantics_of(study, method) in ("ode", "backward", "moments")


_ALIKE = (
    "note: all {} trajectories{} are the same, for an ODE without [population.draw] leaves nothing to chance: "
    'one is enough, or take method = "direct"'
)


def _line(study: Study, network: Network, method: str) -> str:
    """A study in a line; `method` is what runs."""
    from ctcdyn.scales import write_length

    simulate = study.simulate
    chosen = " (auto)" if simulate.method == "auto" else ""
    return (
        f"{study.count} trajectories of {_shape(network)}, method {method}{chosen}, "
        f"{write_length(simulate.t_end - simulate.t_start)}, {len(simulate.times)} saved times"
    )


def _shape(network: Network) -> str:
    return (
        f"{network.name} ({len(network.species)} species, {len(network.reactions)} reactions, "
        f"{len(network.parameters)} parameters)"
    )


def _is_model(file: Path) -> bool:
    """Whether a text defines species, or is composed and no study; the study's own errors tell what cannot be read."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8")).keys()
        return "species" in tables or ("mechanisms" in tables and not {"model", "simulate", "extends"} & tables)
    except (OSError, ValueError):
        return False


def init(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="Template; left out: list them.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write; default: print it.", show_default=False
        ),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a study.")] = False,
) -> None:
    """Print or write a commented study to begin with."""
    if schema:
        from ctcdyn.config import json_schema

        print(json.dumps(json_schema(), indent=2))
        return
    known = templates()
    if kind is None:
        width = max(map(len, known))
        for name, path in known.items():
            print(f"{name:{width}}  {first_comment(path)}")
        return
    if kind not in known:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(known)}", param_hint="KIND")
    text = known[kind].read_text(encoding="utf-8")
    if output is not None:
        text = _with_result(text, f"{output.stem}.h5")
    if output is None:
        print(text, end="")
        return
    from ctcdyn.cli.screen import write_new

    write_new(output, text)
    print(f"wrote {output}; next: ctcdyn check {output} --explain", file=sys.stderr)


def _with_result(text: str, result: str) -> str:
    """The text of a study with another name of its result file: two studies must not share one."""
    pattern = re.compile(r'^(\[output\]\n(?:[^\[\n].*\n|\n)*?file\s*=\s*)"[^"\n]*"', re.MULTILINE)
    return pattern.sub(lambda found: found[1] + json.dumps(result, ensure_ascii=False), text, count=1)


def templates() -> dict[str, Path]:
    """Template studies by kind, then the studies that ship with the package."""
    package = Path(__file__).parents[1]
    files = [*sorted((package / "templates").glob("*.toml")), *sorted(configs().glob("*.toml"))]
    return {path.stem: path for path in files}


def configs() -> Path:
    """The folder of the studies that ship with the package; those of published results are in `published`."""
    package = Path(__file__).parents[1]
    shipped = package / "configs"  # in a wheel
    return shipped if shipped.is_dir() else package.parents[1] / "configs"  # in a checkout


def first_comment(path: Path) -> str:
    """What the first line of a TOML file says of it, without the file's name."""
    line = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").strip()
    return line.partition(": ")[2] or line
