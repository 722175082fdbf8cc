"""The tables of a study as frozen values. Names of fields are the keys of the TOML file; times are days.

Checks of one value stand in the types, checks between the keys of a table in its validator. Nothing here
knows a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator as Check
from pydantic import BeforeValidator as Read
from pydantic import Field, PrivateAttr, WithJsonSchema, model_validator

from ctcdyn.config.draws import Lesions, Population
from ctcdyn.config.interventions import Arms, Events, Treatments, listed
from ctcdyn.config.published import Figures
from ctcdyn.config.sweeps import Sweep
from ctcdyn.config.table import Days, Quantity, Table
from ctcdyn.config.values import (
    COUNT_LIMIT,
    NUMBER_OR_TEXT,
    bytes_of,
    kept_paths,
    known_picture,
    one_of,
    refuse,
    result_name,
    rising,
    some_time,
    some_window,
    switch,
    tuple_of,
)
from ctcdyn.errors import Place
from ctcdyn.places import Document

ARMS_LIMIT = 255  # the result file numbers them in one byte
TIMES_LIMIT = 1_000_000  # saved times: 8 MB of axis; more is a slip in `every`
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)  # median, quartiles and the central 95 %

Bytes = Annotated[int, Read(bytes_of), WithJsonSchema(NUMBER_OR_TEXT)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT)]
Switch = Annotated[bool | str | dict[str, Any], Read(switch)]

class ModelChoice(Table):
    """[model]: a built-in model (`use`) or a file (`file`, relative to the study that names it)."""

    use: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    file: Annotated[str, Field(min_length=1, max_length=4000)] | None = None

    _folder: Path = PrivateAttr(default=Path())
    _mechanisms: dict[str, Any] = PrivateAttr(default_factory=dict)  # of the study, which the model is composed with
    _places: dict[str, Place] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> Self:
        one_of(self, "use", "file", fix='write use = "ctc_linear" (built in) or file = "my.model.toml"')
        return self

    @property
    def location(self) -> str:
        """What `load_model` takes: a built-in name or a path."""
        return self.use if self.use is not None else str(self._folder / (self.file or ""))

    @property
    def mechanisms(self) -> dict[str, Any]:
        """[mechanisms] of the study: name -> true, false, a path or a table of settings."""
        return self._mechanisms

    @property
    def places(self) -> dict[str, Place]:
        """Where each of them stands, and each setting as "name.setting"."""
        return self._places


class Save(Table):
    """simulate.save: when to save, one of three ways. The first and the last time are always saved."""

    every: Annotated[Days, Check(some_time("C114"))] | None = None
    at: Annotated[tuple[Days, ...], Read(tuple_of), Check(rising("C114"))] | None = None
    n: Annotated[int, Field(ge=2, le=TIMES_LIMIT)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        one_of(
            self,
            "every",
            "at",
            "n",
            fix='write save = { every = "1 day" }, { at = [0, 3, 13] } or { n = 101 }',
        )
        return self


class Hybrid(Table):
    """[simulate.hybrid]: counts at which a species becomes continuous, and below which it is discrete again."""

    switch_up: Annotated[float, Field(ge=0)] = 500.0  # the noise left out is a part in 20 of such a count, and falling
    switch_down: Annotated[float, Field(ge=0)] = 200.0  # well below: a species that wavers does not switch all the time

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.switch_down > self.switch_up:
            what = f"switch_down ({self.switch_down:g}) must not be above switch_up ({self.switch_up:g})"
            refuse("C105", what, "swap them", "switch_down")
        return self


class Simulate(Table):
    """[simulate]: method, horizon in days, save times, tolerances."""

    method: Annotated[str, Field(min_length=1, max_length=4000)] = "ode"
    t_start: Days = 0.0
    t_end: Days
    save: Save = Save(n=101)  # 101: one point per percent of the horizon, enough for a smooth picture
    rtol: Annotated[float, Field(ge=1e-13, le=0.1)] = 1e-6  # below 1e-13 rounding decides, not the method
    atol: Annotated[float, Field(gt=0, le=1e30)] = 1e-6  # in the units of the species: a millionth of a cell
    window: Annotated[Days, Check(some_window)] | None = None  # of thinning; None: 1/16 d
    epsilon: Annotated[float, Field(ge=1e-4, le=0.1)] = 0.03  # relative change of a propensity in a leap
    step: Annotated[Days, Check(some_time("C105"))] | None = None  # of a method that takes the same step all the time
    hybrid: Hybrid = Hybrid()
    continuous: Annotated[tuple[str, ...], Read(listed)] = ()  # pinned, besides the species that the model pins

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        length = self.t_end - self.t_start
        if length <= 0:
            refuse(
                "C105",
                f"t_end ({self.t_end:g} d) must be after t_start ({self.t_start:g} d)",
                "swap them, or write a later t_end",
                "t_end",
            )
        if self.save.every is not None and length / self.save.every > TIMES_LIMIT:
            refuse(
                "C114", f"save.every gives more than {TIMES_LIMIT} times", "save less often", "save", "every"
            )
        if self.save.at and (self.save.at[0] < self.t_start or self.save.at[-1] > self.t_end):
            refuse(
                "C114",
                "save.at holds times before t_start or after t_end",
                f"keep them within {self.t_start:g} and {self.t_end:g} days",
                "save",
                "at",
            )
        if np.any(np.diff(self.times) <= 0):
            refuse("C114", "the saved times are too close for double precision", "save less often", "save")
        return self

    @property
    def times(self) -> NDArray[np.float64]:
        """Saved times in days, float64 (T,), from t_start to t_end, both included."""
        if self.save.n is not None:
            return np.linspace(self.t_start, self.t_end, self.save.n)
        if self.save.at is not None:
            return np.array(sorted({self.t_start, *self.save.at, self.t_end}), dtype=np.float64)
        assert self.save.every is not None
        # the last step may miss t_end by rounding (12 months, a year): then it is t_end
        steps = int(np.floor((self.t_end - self.t_start) / self.save.every * (1 + 1e-12) + 1e-9))
        times = self.t_start + self.save.every * np.arange(steps + 1, dtype=np.float64)
        if steps and abs(times[-1] - self.t_end) <= 1e-9 * self.save.every + 4 * np.spacing(abs(self.t_end)):
            times[-1] = self.t_end
            return times
        return np.append(times, self.t_end)


class Ensemble(Table):
    """[ensemble]: how many runs, and the seed (None: drawn, printed and stored by `run`)."""

    trajectories: Count | None = None
    replicates: Count | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] | None = None

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.trajectories is not None and self.replicates is not None:
            refuse(
                "C107",
                "trajectories and replicates exclude each other",
                "replicates multiply [population] patients; without patients write trajectories",
                "replicates",
            )
        return self


class Limits(Table):
    """[limits]: caps that turn a runaway trajectory into a status and a runaway study into an error."""

    max_failed_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_steps_per_trajectory: Count = 10_000_000
    max_events_per_trajectory: Count = 10_000_000_000
    memory: Bytes | None = None
    disk: Bytes | None = None


class Output(Table):
    """[output]: the result file and what it holds. `file` defaults to the study's name with .h5."""

    file: Annotated[str, Check(result_name)]
    keep: Annotated[int | str, Read(kept_paths)] | None = None
    quantiles: Annotated[tuple[Share, ...], Read(tuple_of), Check(rising("C105"))] = QUANTILES
    precision: Literal["double", "single"] = "double"
    compression: Literal["gzip", "none"] = "gzip"
    lesions: bool = False
    fates: bool = False
    picture: Annotated[bool | str, Read(known_picture)] = True


class Study(Table):
    """A whole study. `count` trajectories = patients x replicates x arms, or ensemble.trajectories."""

    schema_: Annotated[int, Field(alias="schema")]
    model: ModelChoice
    mechanisms: dict[str, Switch] = Field(default_factory=dict)
    parameters: dict[str, Quantity] = Field(default_factory=dict)
    initial: dict[str, Quantity] = Field(default_factory=dict)
    population: Population | None = None
    sweep: Sweep | None = None
    lesion: Lesions = Lesions()
    treatment: Treatments = ()
    event: Events = ()
    arm: Arms = ()
    importance: dict[str, Positive] = Field(default_factory=dict)  # fate -> how many times as often it is drawn
    published: Figures = ()
    simulate: Simulate
    ensemble: Ensemble = Ensemble()
    limits: Limits = Limits()
    output: Output

    _document: Document = PrivateAttr(default_factory=lambda: Document("", "", {}, {}))

    @model_validator(mode="after")
    def _schema_and_count(self) -> Self:
        if self.schema_ != 1:
            refuse(
                "C111",
                f"this version reads schema 1, not {str(self.schema_)[:20]}",
                "write schema = 1",
                "schema",
            )
        if self.patients is not None and self.ensemble.trajectories is not None:
            table = "[population]" if self.population is not None else "[sweep]"
            refuse(
                "C107",
                f"ensemble.trajectories and {table} exclude each other",
                "patients x replicates are the trajectories: remove ensemble.trajectories",
                "ensemble",
                "trajectories",
            )
        if self.patients is None and self.ensemble.replicates is not None:
            refuse(
                "C107",
                "ensemble.replicates needs a [population] or a [sweep]",
                "write trajectories instead of replicates",
                "ensemble",
                "replicates",
            )
        if len(self.arm) > ARMS_LIMIT:
            refuse("C105", f"{len(self.arm)} arms", f"write at most {ARMS_LIMIT}", "arm")
        if self.count > COUNT_LIMIT:
            refuse(
                "C116",
                "patients x replicates x arms is over 2**53 trajectories",
                "reduce one of them",
                "ensemble",
                "replicates",
            )
        return self

    @property
    def document(self) -> Document:
        """The merged text with the place of every key."""
        return self._document

    @property
    def path(self) -> str:
        return self._document.path

    @property
    def text(self) -> str:
        """The study file, word for word (what it extends is in `resolved()`)."""
        return self._document.text

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms. A study without [[arm]] has one, in which every treatment is given."""
        return tuple(arm.name for arm in self.arm) or (("treated",) if self.treatment else ("control",))

    @property
    def given(self) -> tuple[tuple[bool, ...], ...]:
        """Whether an arm gives a treatment, (arms, treatments)."""
        if not self.arm:
            return (tuple(True for _ in self.treatment),)
        return tuple(tuple(x.name in arm.treatments for x in self.treatment) for arm in self.arm)

    @property
    def patients(self) -> int | None:
        """Number of virtual patients: those of [population] at each point of [sweep]; None without either."""
        if self.population is None and self.sweep is None:
            return None
        each = self.population.patients if self.population is not None else 1
        return each * (self.sweep.count if self.sweep is not None else 1)

    @property
    def replicates(self) -> int:
        return self.ensemble.replicates or 1

    @property
    def count(self) -> int:
        """Number of trajectories."""
        if self.patients is not None:
            return self.patients * self.replicates * len(self.arms)
        return (self.ensemble.trajectories or 1) * len(self.arms)

    @property
    def kept(self) -> int:
        """Ids whose paths are kept, from 0: all arms of the first `keep`. Left out: all of up to 1000, else
        none.
        """
        keep = self.output.keep
        if keep is None:
            return self.count if self.count <= 1000 else 0
        if isinstance(keep, int):
            return min(keep * len(self.arms), self.count)
        return self.count if keep == "all" else 0

    def place(self, *path: str | int) -> Place:
        """Where a key stands in the text of this study or of one that it extends."""
        return self._document.place(*path)

    def resolved(self) -> dict[str, Any]:
        """Everything that was set or left at its default, ready for JSON."""
        shown: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return shown | {"arms": list(self.arms), "count": self.count, "kept": self.kept}


def json_schema() -> dict[str, Any]:
    """JSON Schema of a study file, for editors that complete keys."""
    schema: dict[str, Any] = Study.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {"type": "string", "description": "a study that this one changes"}
    output = schema["$defs"]["Output"]
    output["required"] = [key for key in output.get("required", ()) if key != "file"]
    schema["required"] = [key for key in schema["required"] if key != "output"]
    return schema
