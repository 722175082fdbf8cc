"""Commands for what ships with the package: models, and the kernels that are generated from them."""

from __future__ import annotations

import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from ctcdyn.cli.studies import Overrides, StudyFile, first_comment


def models(
    name: Annotated[
        str | None, typer.Argument(help="A model; left out: list them.", show_default=False)
    ] = None,
    source: Annotated[bool, typer.Option("--source", help="Print the model file as it is.")] = False,
    composed: Annotated[
        bool, typer.Option("--composed", help="Print the model that its mechanisms make, as one text.")
    ] = False,
) -> None:
    """List the built-in models, or show one: every parameter with unit, bounds and source, every reaction."""
    if name is None:
        files = sorted((Path(__file__).parents[1] / "models").glob("*.toml"))
        width = max(len(path.stem) for path in files)
        for path in files:
            title = tomllib.loads(path.read_text(encoding="utf-8")).get("title") or first_comment(path)
            print(f"{path.stem:{width}}  {title}")
        return
    from ctcdyn.cli.explain import explain_assumed, explain_model
    from ctcdyn.model.load import load_model

    network = load_model(name)
    if source or composed:
        print(network.source_text if composed else Path(network.path).read_text(encoding="utf-8"), end="")
        return
    explain_model(network)
    explain_assumed(network)


def mechanisms(
    name: Annotated[
        str | None, typer.Argument(help="A mechanism, or a file; left out: list them.", show_default=False)
    ] = None,
    source: Annotated[bool, typer.Option("--source", help="Print the file as it is.")] = False,
) -> None:
    """List the built-in mechanisms, or show one: what it adds to a model, its parameters, what would refute it."""
    from ctcdyn.cli.screen import show_table
    from ctcdyn.model import pages

    if name is None:
        known = [pages.built_in(each) for each in pages.mechanism_names()]
        width = max(len(x.name) for x in known)
        for x in known:
            print(f"{x.number or '':>2}  {x.name:{width}}  {x.title}  [{', '.join(x.acts_on)}]")
        return
    mechanism = pages.built_in(name)
    if source:
        print(Path(mechanism.path).read_text(encoding="utf-8"), end="")
        return
    print(f"{mechanism.title}\n\n{mechanism.page}\n")
    print(f"mechanism   {mechanism.number or mechanism.name}; needs {pages.stages(mechanism)}")
    fill = textwrap.TextWrapper(110, "", " " * 12, break_long_words=False, break_on_hyphens=False).fill
    for kind, told in [*pages.added(mechanism), *(("option", each) for each in pages.options(mechanism))]:
        print(fill(f"{kind:<12}{told.replace('`', '')}"))
    rows = pages.parameters(mechanism)
    if rows:
        print()
        show_table("parameters", pages.HEAD, rows)
        print(fill(f"assumed     {', '.join(pages.assumed(mechanism)) or 'none'}"))
    if mechanism.refuted_by:
        print(fill(f"refuted by  {mechanism.refuted_by}"))


def codegen(
    study_file: StudyFile,
    overrides: Overrides = None,
    part: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this part; of lesions lesion.NAME.", show_default=False)
    ] = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Count packed instructions for each lane loop.")
    ] = False,
    path: Annotated[bool, typer.Option("--path", help="Print where the module is cached.")] = False,
) -> None:
    """Print the generated kernel of a study, and that of its lesions behind it."""
    from ctcdyn.codegen import cache
    from ctcdyn.codegen.choose import choose
    from ctcdyn.codegen.kernel import link
    from ctcdyn.model.load import prepare

    study, resolved = prepare(study_file, overrides or ())
    chosen = choose(resolved.network, study)
    network = chosen.taken(resolved.network)
    linked = link(network, chosen.method, Path(study.path).parent, lesion_method=study.lesion.method)
    kernels = [linked] if linked.lesion is None else [linked, linked.lesion]
    if part is not None:
        parts = dict(linked.emission.parts)
        if linked.lesion is not None:
            parts |= {f"lesion.{name}": text for name, text in linked.lesion.emission.parts.items()}
        if part not in parts:
            raise typer.BadParameter(f"{part!r} is none of {', '.join(parts)}", param_hint="--part")
        print(parts[part])
    elif path:
        for one in kernels:
            module = cache.cache_folder() / one.key / cache.MODULE
            print(module)
            if not module.exists():
                print("not compiled yet: the first run of this model and solver writes it", file=sys.stderr)
    elif vectors:
        for one in kernels:
            _show_vectors(one.source)
    else:
        print(linked.text, end="")


def _show_vectors(source: str) -> None:
    """Print the instruction counts of a kernel as a table."""
    from ctcdyn.cli.screen import show_table
    from ctcdyn.codegen.vectors import TARGET, count_instructions

    rows = [
        (
            function.name,
            function.whole.packed,
            function.whole.scalar,
            function.whole.fused,
            "  ".join(f"{loop.packed}|{loop.scalar}" for loop in function.loops),
        )
        for function in count_instructions(source)
    ]
    head = ("function", "packed", "scalar", "fused", "its loops, packed|scalar")
    show_table(f"floating-point instructions for {TARGET}, 4 lanes a register", head, rows)
