"""What is drawn: virtual patients and lesions, and the distributions of what differs between them."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Self

from pydantic import AfterValidator as Check
from pydantic import BeforeValidator as Read
from pydantic import Field, WithJsonSchema, model_validator

from ctcdyn.config.interventions import listed
from ctcdyn.config.table import Quantity, Table
from ctcdyn.config.values import COUNT_LIMIT, known_design, one_of, refuse, refuse_unknown, tuple_of

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT)]

# what a distribution takes: all of the first, one of the second, and any of the third
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "normal": (("mean", "sd"), (), ("low", "high")),
    "lognormal": (("median",), ("cv", "gsd", "sigma"), ("low", "high")),
    "gamma": (("shape",), ("mean", "scale"), ("low", "high")),
    "beta": (("alpha", "beta"), (), ("low", "high")),
    "uniform": (("low", "high"), (), ()),
    "loguniform": (("low", "high"), (), ()),
}


class Distribution(Table):
    """One line of [population.draw]. Quantities are in the parameter's unit once resolved; cv, gsd, sigma, shape, alpha
    and beta are numbers.

    normal: mean, sd. lognormal: median and one of cv (sd / mean), gsd (geometric sd), sigma (sd of the logarithm).
    gamma: shape and one of mean, scale. Of these, low and high cut off what is outside. uniform, loguniform: low, high.
    beta: alpha, beta; low and high are its ends, 0 and 1 unless given.
    """

    dist: str
    mean: Quantity | None = None
    sd: Quantity | None = None
    median: Quantity | None = None
    cv: Positive | None = None
    gsd: Annotated[float, Field(gt=1)] | None = None
    sigma: Positive | None = None
    shape: Annotated[float, Field(ge=0.01, le=1e6)] | None = None
    scale: Quantity | None = None
    alpha: Annotated[float, Field(ge=0.1, le=1e5)] | None = None
    beta: Annotated[float, Field(ge=0.1, le=1e5)] | None = None
    low: Quantity | None = None
    high: Quantity | None = None

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.dist not in DISTRIBUTIONS:
            what = f'unknown distribution "{self.dist[:100]}"'
            refuse_unknown("C115", what, self.dist, DISTRIBUTIONS, "this version has", "dist")
        required, choice, free = DISTRIBUTIONS[self.dist]
        given = {key for key in type(self).model_fields if key != "dist" and getattr(self, key) is not None}
        form = ", ".join((*required, " or ".join(choice))) if choice else ", ".join(required)
        form += f", and if you like {', '.join(free)}" if free else ""
        for key in sorted(given - {*required, *choice, *free}):
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


class Correlation(Table):
    """One [[population.correlation]]: of the normals behind the draws of `between`, for each pair or all at once."""

    between: Annotated[tuple[str, ...], Read(tuple_of)]
    rho: Annotated[float, Field(gt=-1, lt=1)] | None = None
    matrix: Annotated[tuple[Annotated[tuple[float, ...], Read(tuple_of)], ...], Read(tuple_of)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        form = 'write between = ["a", "b"] and rho = 0.5, or a symmetric matrix with ones on its diagonal'
        if len(self.between) < 2 or len(set(self.between)) < len(self.between):
            refuse("C124", "needs two or more different names in between", form, "between")
        one_of(self, "rho", "matrix", fix=form)
        n = len(self.between)
        for i, row in enumerate(self.matrix or ()):
            if len(row) != n or len(self.matrix or ()) != n:
                refuse(
                    "C124",
                    f"needs a matrix of {n} rows of {n} numbers, one for each name in between",
                    form,
                    "matrix",
                )
            for j, x in enumerate(row):
                mirrored = self.matrix is not None and self.matrix[j][i : i + 1] == (x,)
                if not mirrored or (i == j and x != 1.0) or (i != j and not abs(x) < 1.0):
                    what = f"has {x:g} in row {i + 1}, column {j + 1}"
                    refuse("C124", f"the matrix {what}: it is no correlation", form, "matrix")
        return self

    @property
    def pairs(self) -> dict[tuple[str, str], float]:
        """Pair of names -> correlation."""
        names = list(enumerate(self.between))
        return {
            (a, b): self.rho if self.rho is not None else (self.matrix or ())[i][j]
            for (i, a), (j, b) in combinations(names, 2)
        }


class Column(Table):
    """What a table says of one parameter: a number for each of its rows."""

    unit: str | None = None
    values: Annotated[tuple[float, ...], Read(tuple_of)]


_FILE_OR_COLUMNS: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "object"}]}


class Population(Table):
    """[population]: virtual patients, drawn once each and shared by their replicates and arms.

    `table`: parameters and initial values that are not drawn, one row for a patient; after the last comes the first
    again. In a study file it is the path of a CSV file, of which `ignore` names columns that are not read.
    """

    patients: Count
    design: Annotated[str, Check(known_design)] = "random"
    draw: dict[str, Distribution] = Field(default_factory=dict)
    correlation: Annotated[tuple[Correlation, ...], Read(listed)] = ()
    table: Annotated[dict[str, Column], WithJsonSchema(_FILE_OR_COLUMNS)] = Field(default_factory=dict)
    ignore: Annotated[tuple[str, ...], Read(listed)] = ()

    @model_validator(mode="after")
    def _tables_fit(self) -> Self:
        lengths = {len(column.values) for column in self.table.values()}
        if len(lengths) > 1:
            refuse(
                "C123",
                f"the columns have {' and '.join(map(str, sorted(lengths)))} rows",
                "give all as many",
                "table",
            )
        for name in self.table:
            if name in self.draw:
                fix = "remove one of the two: a value is drawn or read"
                refuse("C107", f"{name} is drawn and is a column of the table", fix, "draw", name)
        if self.ignore and not self.table:
            refuse(
                "C103",
                "ignore names columns of a table, and there is none",
                'write table = "cohort.csv"',
                "ignore",
            )
        seen: set[frozenset[str]] = set()
        for one in self.correlation:
            for pair in map(frozenset, one.pairs):
                if pair in seen:
                    what = f"the correlation between {' and '.join(sorted(pair))} is given twice"
                    refuse("C107", what, "give each pair once", "correlation")
                seen.add(pair)
        return self


class Lesions(Table):
    """[lesion]: how the lesions of a model that declares them are run, and what differs between them.

    A draw of a parameter takes the place of the patient's value in one lesion.
    """

    method: Annotated[str, Field(min_length=1, max_length=4000)] = "hybrid"
    draw: dict[str, Distribution] = Field(default_factory=dict)
