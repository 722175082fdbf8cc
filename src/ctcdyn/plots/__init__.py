"""Pictures of results, one file for each kind: what lies in this folder exists (a leading underscore: parts of others).

A kind is a file with a docstring, whose first sentence says what is seen, and

    TAKES = ("species", "by", "reference")        # what may be asked of it, some of these
    def draw(results, asked) -> Figure            # asked.names, asked.by, asked.references

A result that cannot give the picture is an error that says what is missing (R521). A path is a kind too, as for every
plug-in. This package is the only one that imports matplotlib, and it never touches pyplot or a display. The same
results give the same bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from ctcdyn import plugins
from ctcdyn.errors import CtcError, Exit, Problem, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ctcdyn.results import Results

FORMATS = (".png", ".svg", ".pdf")


class Reference(NamedTuple):
    """A published point over the simulated curves: time in days, value in the unit of `name`.

    `low` and `high` are the ends of its error bar; without them the point stands alone.
    """

    time: float
    value: float
    label: str
    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a picture is to show: columns, fates, events or parameters by name, groups, published points."""

    names: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()


def kinds() -> tuple[str, ...]:
    """Names of the built-in kinds."""
    return plugins.available("picture")


def load(kind: str) -> ModuleType:
    """The file of a kind, by its name or path. Raises CtcError (R509, exit 2) of an unknown name."""
    if not plugins.is_path("picture", kind) and kind not in kinds():
        fix = did_you_mean(kind, kinds()) or f"one of {', '.join(kinds())}"
        raise CtcError(Problem("R509", f"no picture of kind {kind!r}", fix=fix), Exit.USAGE)
    return plugins.import_plugin(plugins.find("picture", kind), ("TAKES", "draw"))


def about(kind: str) -> str:
    """What a kind shows: the first sentence of its file."""
    return " ".join((load(kind).__doc__ or "").partition("\n\n")[0].split())


def plot(
    results: Results,
    kind: str = "bands",
    species: Sequence[str] | None = None,
    output: str | os.PathLike[str] = "ctcdyn.png",
    reference: Iterable[Reference | tuple[Any, ...]] = (),
    by: Sequence[str] | None = None,
) -> Path:
    """Draw results to a file, PNG, SVG or PDF by its suffix, and give its path.

    `kind` is one of `kinds()`, or the path of a file. `species` names what is shown: columns (default: the first 12,
    what the study is about before species), events, fates. `by`: what tells patients apart, or the axes of a map.
    `reference` holds `Reference`s or tuples like them.

        plot(results, species=["ctc"], output="ctc.pdf", reference=[(14, 0.02, "Luzzi 1998", "ctc")])
    """
    path = Path(output)
    if path.suffix.lower() not in FORMATS:
        what = f"pictures are {', '.join(FORMATS)}, not {path.suffix or path.name!r}"
        raise CtcError(Problem("R503", what, fix="name a file with one of these endings"), Exit.USAGE)
    picture = rendered(results, kind, path.suffix.lower()[1:], species, reference, by)
    try:
        path.write_bytes(picture)
    except OSError as error:
        what = f"{path} cannot be written: {os.strerror(error.errno or 0)}"
        raise CtcError(Problem("R503", what), Exit.OUTPUT) from None
    return path


def preload() -> None:
    """Import what draws, which takes half a second: for a thread that runs while something else is waited for."""
    for name in ("style", "figure", "backends.backend_agg"):
        import_module(f"matplotlib.{name}")


def rendered(
    results: Results,
    kind: str = "bands",
    form: str = "svg",
    species: Sequence[str] | None = None,
    reference: Iterable[Reference | tuple[Any, ...]] = (),
    by: Sequence[str] | None = None,
    outlines: bool = False,
) -> bytes:
    """The bytes of the file that `plot` writes; `form` is "png", "svg" or "pdf". `outlines`: text of an SVG as shapes,
    which look the same where the font is not installed."""
    import matplotlib.style

    from ctcdyn.plots._style import STYLE

    text = {"svg.fonttype": "path" if outlines else "none"}
    with matplotlib.style.context(["default", STYLE, text]):
        buffer = io.BytesIO()
        undated: dict[str, dict[str, None]] = {
            "png": {"Software": None},
            "svg": {"Date": None},
            "pdf": {"CreationDate": None},
        }
        draw(results, kind, species, reference, by).savefig(
            buffer, format=form, dpi=300, metadata=undated[form]
        )
    return buffer.getvalue()


def draw(
    results: Results,
    kind: str = "bands",
    species: Sequence[str] | None = None,
    reference: Iterable[Reference | tuple[Any, ...]] = (),
    by: Sequence[str] | None = None,
) -> Figure:
    """The figure that `plot` saves, for those who go on drawing in it."""
    chosen = load(kind)
    asked = Asked(tuple(species or ()), tuple(by or ()), tuple(Reference(*item) for item in reference))
    given = {"species": asked.names, "by": asked.by, "reference": asked.references}
    for word, values in given.items():
        if values and word not in chosen.TAKES:
            takes = ", ".join(chosen.TAKES) or "nothing"
            what = f"a picture of kind {kind!r} takes no {word!r}"
            raise CtcError(Problem("R509", what, fix=f"it takes {takes}"), Exit.USAGE)
    figure: Figure = chosen.draw(results, asked)
    return figure
