"""Pictures with what is published on them: where the points come from."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctcdyn.plots import Reference, plot
from ctcdyn.summary import USED_FOR

if TYPE_CHECKING:
    from ctcdyn.model.network import Published
    from ctcdyn.results import Results


def draw_cascade(results: Results, published: Sequence[Published], output: Path, kind: bool | str) -> None:
    """The kind of picture that the study names; else bands of what is published with the points on them, and of
    everything where nothing is.
    """
    if isinstance(kind, str):
        plot(results, kind, None, output)
        return
    points = references(published)
    names = list(dict.fromkeys(point.name for point in points))
    plot(results, "bands", names or None, output, points)


def references(published: Sequence[Published]) -> list[Reference]:
    """Published numbers as points of a picture; the legend says what each was used for."""
    return [
        Reference(item.time, item.value, f"published, {USED_FOR[item.used_for]}", item.observable)
        for item in published
    ]


def published_in(results: Results) -> tuple[Published, ...]:
    """What the model in a result file says is published; nothing where this version cannot read it."""
    from ctcdyn.errors import CtcError
    from ctcdyn.model.load import load_model

    source = str(results.provenance.get("model_source", ""))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.toml"
        path.write_text(source, encoding="utf-8")
        try:
            return load_model(str(path)).published
        except CtcError:
            return ()
