"""[[published]] of a study as frozen values: a figure of the literature, its uncertainty, and how it is computed.

Keys that need each other are checked here; names, units and times when the model is known (`model/figures.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator as Check
from pydantic import BeforeValidator as Read
from pydantic import Field, model_validator

from ctcdyn.config.interventions import Condition, Label, listed
from ctcdyn.config.table import Days, Quantity, Table
from ctcdyn.config.values import one_of, refuse, rising, tuple_of

Text = Annotated[str, Field(min_length=1, max_length=2000)]


class Reading(Table):
    """published.read.NAME: the mean of a column at a time (days), the share of trajectories with an event, or a number
    that has a unit."""

    of: Label | None = None
    at: Days | None = None
    arm: Label | None = None
    value: Quantity | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        one_of(self, "of", "value", fix='write of = "chance_relapse", or value = "36 /day"')
        for key in ("at", "arm"):
            if self.value is not None and getattr(self, key) is not None:
                refuse("C107", f"{key} is of what is read, and this is a number", "remove it", key)
        return self


class Figure(Table):
    """[[published]]: what was published, what it may be off by, and the expression that is it here."""

    name: Label
    used_for: Literal["mathematics", "rate", "prediction"]
    source: Text
    value: float | None = None
    counts: Annotated[tuple[int, int], Read(tuple_of)] | None = None
    range: Annotated[tuple[float, float], Read(tuple_of), Check(rising("C105"))] | None = None
    rtol: Annotated[float, Field(gt=0, lt=1)] | None = None
    unit: Label = "1"
    measured: Text | None = None
    rests_on: Text | None = None
    expr: Condition
    read: dict[str, Reading] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.value is not None or self.range is None:
            one_of(
                self,
                "value",
                "counts",
                fix="write value = 0.53, counts = [12, 14] for 12 of 14, or a range alone",
            )
        if self.range is not None and self.rtol is not None:
            refuse(
                "C107", "range and rtol exclude each other", "keep the one that the source supports", "rtol"
            )
        if self.counts is not None:
            k, n = self.counts
            if not 0 <= k <= n or n == 0:
                refuse("C105", f"counts = [{k}, {n}] is no share", "write [events, of how many]", "counts")
            if self.range is not None or self.rtol is not None:
                fix = "remove it: counts have the 95 % interval of a share (Wilson)"
                refuse(
                    "C107", "counts bring their own range", fix, "range" if self.range is not None else "rtol"
                )
        if self.used_for != "prediction" and self.range is None and self.rtol is None and self.counts is None:
            fix = "write range = [low, high], or rtol = 1e-4 where the figure is to be met"
            refuse("C103", f'a figure used for "{self.used_for}" must say how near is met', fix)
        if self.used_for == "prediction" and self.rtol is not None:
            fix = "write range = [low, high] with what is published, or nothing where nothing is"
            refuse("C107", "a prediction has no tolerance of ours", fix, "rtol")
        if (
            self.range is not None
            and self.value is not None
            and not self.range[0] <= self.value <= self.range[1]
        ):
            what = f"the value {self.value:g} is not in its range {self.range[0]:g} to {self.range[1]:g}"
            refuse("C105", what, "write the range that the source gives", "range")
        if self.used_for != "mathematics" and self.rests_on is None:
            says = "which parameter it set" if self.used_for == "rate" else "what its parameters were set by"
            refuse("C103", f"rests_on is missing: {says}", 'write rests_on = "..."')
        return self


Figures = Annotated[tuple[Figure, ...], Read(listed)]
