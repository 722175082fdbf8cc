"""What is drawn: virtual patients and lesions, and the distributions of what differs between them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator as Check
from pydantic import Field, model_validator

from ctcdyn.config.table import Quantity, Table
from ctcdyn.config.values import COUNT_LIMIT, known_design, refuse
from ctcdyn.errors import nearest

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT)]

# what a distribution takes: all of the first, and one of the second
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "normal": (("mean", "sd"), ()),
    "lognormal": (("median",), ("cv", "gsd", "sigma")),
    "uniform": (("low", "high"), ()),
    "loguniform": (("low", "high"), ()),
}


class Distribution(Table):
    """One line of [population.draw]. Quantities are in the parameter's unit once resolved; cv, gsd, sigma
    are numbers.

    normal: mean, sd. lognormal: median and one of cv (sd / mean), gsd (geometric sd), sigma (sd of the
    logarithm). uniform, loguniform: low, high.
    """

    dist: str
    mean: Quantity | None = None
    sd: Quantity | None = None
    median: Quantity | None = None
    cv: Positive | None = None
    gsd: Annotated[float, Field(gt=1)] | None = None
    sigma: Positive | None = None
    low: Quantity | None = None
    high: Quantity | None = None

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.dist not in DISTRIBUTIONS:
            near = nearest(self.dist, DISTRIBUTIONS)
            fix = f'did you mean "{near}"?' if near else f"this version has {', '.join(DISTRIBUTIONS)}"
            refuse("C115", f'unknown distribution "{self.dist[:100]}"', fix, "dist")
        required, choice = DISTRIBUTIONS[self.dist]
        given = {key for key in type(self).model_fields if key != "dist" and getattr(self, key) is not None}
        form = ", ".join((*required, " or ".join(choice))) if choice else ", ".join(required)
        if self.dist == "normal" and given & {"low", "high"}:
            refuse(
                "C108",
                "truncated distributions are not in this version",
                "remove low and high, or use lognormal, which is positive by itself",
                min(given & {"low", "high"}),
            )
        for key in sorted(given - {*required, *choice}):
            refuse("C115", f"a {self.dist} distribution has no {key}", f"it takes {form}", key)
        for key in required:
            if key not in given:
                refuse("C115", f"a {self.dist} distribution needs {key}", f"it takes {form}")
        if choice and len(given & {*choice}) != 1:
            refuse(
                "C115",
                f"a {self.dist} distribution takes exactly one of {', '.join(choice)}",
                f"it takes {form}",
            )
        return self


class Population(Table):
    """[population]: virtual patients, drawn once each and shared by their replicates and arms."""

    patients: Count
    design: Annotated[str, Check(known_design)] = "random"
    draw: dict[str, Distribution] = Field(default_factory=dict)


class Lesions(Table):
    """[lesion]: how the lesions of a model that declares them are run, and what differs between them.

    A draw of a parameter takes the place of the patient's value in one lesion.
    """

    method: Annotated[str, Field(min_length=1, max_length=4000)] = "hybrid"
    draw: dict[str, Distribution] = Field(default_factory=dict)
