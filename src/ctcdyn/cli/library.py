"""Commands for what ships with the package: models, and the kernels that are generated from them."""

from __future__ import annotations

import sys
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
) -> None:
    """List the built-in models, or show one with its sources."""
    if name is None:
        files = sorted((Path(__file__).parents[1] / "models").glob("*.toml"))
        width = max(len(path.stem) for path in files)
        for path in files:
            title = tomllib.loads(path.read_text(encoding="utf-8")).get("title") or first_comment(path)
            print(f"{path.stem:{width}}  {title}")
        return
    from ctcdyn.cli.explain import explain_model
    from ctcdyn.model.load import load_model

    network = load_model(name)
    if source:
        print(network.source_text, end="")
        return
    explain_model(network)


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
    method = choose(resolved.network, study).method
    linked = link(resolved.network, method, Path(study.path).parent, lesion_method=study.lesion.method)
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
