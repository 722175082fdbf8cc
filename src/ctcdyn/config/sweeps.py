"""[sweep]: the points at which a study is run, each a set of parameters and initial values."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BeforeValidator as Read
from pydantic import Field, model_validator

from ctcdyn.config.table import Quantity, Table
from ctcdyn.config.values import COUNT_LIMIT, one_of, refuse, refuse_unknown, tuple_of

Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT)]

# what says how many points a design has
DESIGNS: dict[str, str] = {
    "grid": "",
    "list": "",
    "latin_hypercube": "points",
    "sobol": "points",
    "saltelli": "base",
    "morris": "base",
}
_NEEDS = {"steps": ("grid",), "points": ("latin_hypercube", "sobol"), "base": ("saltelli", "morris")}
_NEEDS |= {"levels": ("morris",), "scramble": ("sobol",)}
FEWEST = 32  # base rows of a Saltelli design: 8 blocks of 4, for the errors


class Span(Table):
    """One line of [sweep.range]: low to high, evenly or in ratios (`log`), in a grid of `steps`; or the values."""

    low: Quantity | None = None
    high: Quantity | None = None
    log: bool = False
    steps: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    values: Annotated[tuple[Quantity, ...], Read(tuple_of)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        fix = "write low and high, or values"
        one_of(self, "low", "values", fix=fix)
        if (self.low is None) != (self.high is None):
            refuse("C103", "needs low and high, or values", fix)
        if self.values is not None and (self.log or self.steps is not None):
            refuse(
                "C107", "values stand for themselves", "remove log and steps", "log" if self.log else "steps"
            )
        return self


class Sweep(Table):
    """[sweep]: at which points a study is run. Each has the patients and replicates that the study says.

    grid: all combinations. list: the values of all ranges side by side. latin_hypercube, sobol: `points` of them.
    saltelli: `base` rows of d + 2 points each, for Sobol indices. morris: `base` ways of d + 1 points through a grid of
    `levels` (4), for elementary effects. scramble = false: a Sobol sequence that begins at the low ends.
    """

    design: str
    range: dict[str, Span]
    points: Count | None = None
    base: Count | None = None
    levels: Annotated[int, Field(ge=2, le=1000)] | None = None
    scramble: bool | None = None

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.design not in DESIGNS:
            what = f'unknown design "{self.design[:100]}"'
            refuse_unknown("C105", what, self.design, DESIGNS, "designs are", "design")
        size = DESIGNS[self.design]
        if size and getattr(self, size) is None:
            refuse("C103", f'a sweep with design = "{self.design}" needs {size}', f"write {size} = 1024")
        for key, designs in _NEEDS.items():
            if key != "steps" and getattr(self, key) is not None and self.design not in designs:
                refuse(
                    "C107",
                    f'design = "{self.design}" has no {key}',
                    f"{key} belongs to {' and '.join(designs)}",
                    key,
                )
        if self.base is not None:
            self._check_base(self.base)
        if self.design == "morris" and self.levels is not None and self.levels % 2:
            refuse("C105", f"levels must be even, not {self.levels}", "write levels = 4", "levels")
        if not self.range:
            refuse(
                "C103",
                "a sweep needs a range",
                "write [sweep.range] and lines such as k = { values = [1, 2] }",
                "range",
            )
        for name, one in self.range.items():
            self._check(name, one)
        lengths = {len(one.values) for one in self.range.values() if one.values is not None}
        if self.design == "list" and len(lengths) > 1:
            what = f"a list needs as many values of each, not {' and '.join(map(str, sorted(lengths)))}"
            refuse("C105", what, "values at the same place belong together", "range")
        return self

    def _check_base(self, base: int) -> None:
        if self.design == "saltelli" and (base & (base - 1) or base < FEWEST):
            near = max(2 ** round(math.log2(base)), FEWEST)
            refuse(
                "C105",
                f"base must be a power of two from {FEWEST} on, not {base}",
                f"write base = {near}",
                "base",
            )
        if self.design == "morris" and base < 2:
            refuse(
                "C105", "base must be 2 or more: an effect has an error only then", "write base = 20", "base"
            )

    def _check(self, name: str, one: Span) -> None:
        here = ("range", name)
        if self.design == "list" and one.values is None:
            refuse(
                "C103", f"a list needs the values of {name}", f"write {name} = {{ values = [...] }}", *here
            )
        if self.design not in ("grid", "list") and one.values is not None:
            fix = f"write {name} = {{ low = ..., high = ... }}, or take a grid or a list"
            refuse("C107", f'design = "{self.design}" needs low and high of {name}', fix, *here)
        if self.design == "grid" and one.values is None and one.steps is None:
            refuse(
                "C103",
                f"a grid needs the steps of {name}",
                f"write {name} = {{ low = ..., high = ..., steps = 10 }}",
                *here,
            )
        if self.design != "grid" and one.steps is not None:
            refuse(
                "C107",
                f'design = "{self.design}" has no steps',
                "remove steps; they belong to a grid",
                *here,
                "steps",
            )

    @property
    def count(self) -> int:
        """Number of points."""
        if self.design == "grid":
            return math.prod(
                len(one.values) if one.values is not None else one.steps or 1 for one in self.range.values()
            )
        if self.design == "list":
            return len(next(iter(self.range.values())).values or ())
        if self.design == "saltelli":
            return (self.base or 1) * (len(self.range) + 2)
        if self.design == "morris":
            return (self.base or 1) * (len(self.range) + 1)
        return self.points or 1
