"""[[treatment]], [[event]] and [[arm]] of a study as frozen values: what is done, what is watched, and who gets what.

Keys that need each other, or exclude each other, are checked here; names, units and conditions when the model is known
(`model/interventions.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator as Check
from pydantic import BeforeValidator as Read
from pydantic import Field, model_validator

from ctcdyn.config.table import Days, Quantity, Table
from ctcdyn.config.values import COUNT_LIMIT, no_less, one_of, refuse, some_time
from ctcdyn.places import describe

Duration = Annotated[Days, Check(some_time("C105"))]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Condition = Annotated[str, Field(min_length=1, max_length=10_000)]


def listed(value: Any) -> tuple[Any, ...]:
    """A TOML list as a tuple."""
    if not isinstance(value, (list, tuple)):
        refuse(
            "C104",
            f"must be a list, not {describe(value)}",
            'write a list: ["resection"], or [[arm]] and its keys',
        )
    return tuple(value)


class Start(Table):
    """treatment.start: a time or condition (`at`), or another treatment or event (`after`), a `delay` in days, and the
    standard deviation in days, `jitter`, by which it scatters."""

    at: Quantity | None = None
    after: Label | None = None
    delay: Annotated[Days, Check(no_less)] | None = None
    jitter: Annotated[Days, Check(no_less)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        one_of(self, "at", "after", fix='write start = { after = "resection", delay = "28 days" }')
        return self


class Treatment(Table):
    """[[treatment]]: when it is given, how often, and what one application does."""

    name: Label
    use: Label | None = None  # written out before (regimens.py)
    at: Quantity | None = None
    start: Start | None = None
    every: Duration | None = None
    cycles: Annotated[int, Field(ge=1, le=COUNT_LIMIT)] | None = None
    duration: Duration | None = None
    repeat: bool = False
    stop: Duration | None = None
    stop_if: Label | None = None
    adherence: Annotated[float, Field(ge=0, le=1)] | None = None
    set: dict[str, Quantity] = Field(default_factory=dict)
    scale: dict[str, Quantity] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        one_of(self, "at", "start", fix='write at = "30 days" or at = "tumor >= 1e9"')
        if not self.set and not self.scale:
            refuse(
                "C103",
                f"treatment {self.name} changes nothing: it needs set or scale",
                'write set = { tumor = "0.001 * tumor" } or scale = { death = 5 }',
            )
        if self.cycles is not None and self.cycles > 1 and self.every is None:
            refuse("C103", f"{self.cycles} cycles need every", 'write every = "21 days"', "cycles")
        if self.duration is not None and not self.scale:
            refuse("C107", "duration is how long a scale lasts, and there is none", "remove it", "duration")
        if self.duration is not None and self.every is not None and self.duration > self.every:
            what = f"a cycle lasts {self.duration:g} days and the next begins after {self.every:g}"
            refuse(
                "C105",
                what,
                "write a duration of at most every: a scale does not add up with itself",
                "duration",
            )
        if self.repeat and self.every is not None:
            refuse("C107", "repeat and every exclude each other", "remove one of them", "repeat")
        if self.repeat and self.start is not None and self.start.after is not None:
            refuse("C107", "repeat is for a condition, and start.after is none", "remove repeat", "repeat")
        if self.repeat and self.duration is not None:
            refuse("C107", "repeat and duration exclude each other", "remove one of them", "repeat")
        if self.repeat and self.jitter is not None:
            refuse("C107", "repeat and jitter exclude each other", "remove one of them", "repeat")
        if self.stop is not None and self.every is None and not self.repeat:
            fix = 'write every = "21 days", or duration for how long a scale lasts'
            refuse("C107", "stop ends what is given again and again, and this is given once", fix, "stop")
        return self

    @property
    def when(self) -> float | str | None:
        """The time or condition; None where it comes after something else."""
        return self.start.at if self.start is not None else self.at

    @property
    def after(self) -> str | None:
        return self.start.after if self.start is not None else None

    @property
    def delay(self) -> float | None:
        return self.start.delay if self.start is not None else None

    @property
    def jitter(self) -> float | None:
        return self.start.jitter if self.start is not None else None


class Event(Table):
    """[[event]]: a condition whose first time is recorded. `clock` is what it is measured from and waits for."""

    name: Label
    when: Condition
    clock: Label | None = None
    after: Label | None = None
    stop: bool = False


class Arm(Table):
    """[[arm]]: a name and the treatments that are given."""

    name: Label
    treatments: Annotated[tuple[Label, ...], Read(listed)]


Treatments = Annotated[tuple[Treatment, ...], Read(listed)]
Events = Annotated[tuple[Event, ...], Read(listed)]
Arms = Annotated[tuple[Arm, ...], Read(listed)]
