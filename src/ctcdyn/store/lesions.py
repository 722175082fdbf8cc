"""The table of lesions: as many rows as were founded, in order of trajectory and lesion, whatever computed them when.

How many rows a range has is known with the range, so each one's place in the table is known before the table is
written: ranges come in any order, and blocks of rows are written when they are full (`ctcdyn.store.chunks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem, Status
from ctcdyn.store.chunks import Block, Rows
from ctcdyn.store.layout import BLOCK, LESION_COLUMNS, LESIONS, Array, Schema
from ctcdyn.store.paths import Packed

GROUP = "lesions"
# shape and type of the columns that a range gives, as segments hold them, and bytes of a row
TYPES = {name: ((), np.dtype(variable.dtype).newbyteorder("<")) for name, variable in LESIONS.items()}
ROW_BYTES = sum(dtype.itemsize for _, dtype in TYPES.values())
STORED_BYTES = sum(np.dtype(variable.dtype).itemsize for variable in LESION_COLUMNS.values())  # of one in a result
# of an axis that has no coordinate in netCDF-4
_NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable.{:10d}"


def given(schema: Schema, result: Any) -> dict[str, Array]:
    """Columns of a range as they are stored, little-endian; empty where the study does not store the table.

    Raises CtcError (B901) for columns that are no table of this range.
    """
    if not schema.lesions:
        return {}
    first, stop = result.first, result.first + len(result.status)
    where = f"lesions of trajectories {first} to {stop - 1}"
    if set(result.lesions) != set(LESIONS):
        raise _bug(f"{where}: columns {sorted(result.lesions)}, not {sorted(LESIONS)}")
    found = {name: np.ascontiguousarray(result.lesions[name], dtype) for name, (_, dtype) in TYPES.items()}
    ids, numbers, rules = found["trajectory"], found["lesion"], found["rule"]
    if {values.shape for values in found.values()} != {(len(ids),)}:
        raise _bug(f"{where}: columns of different lengths")
    if not len(ids):
        return found
    step = np.diff(ids)
    if ids[0] < first or ids[-1] >= stop or (step < 0).any() or ((step == 0) & (np.diff(numbers) <= 0)).any():
        raise _bug(f"{where}: rows of others, or not in order of trajectory and lesion")
    if int(rules.max()) >= len(schema.founder_rules):
        raise _bug(f"{where}: a rule beyond the {len(schema.founder_rules)} of the schema")
    return found


def count(lesions: Mapping[str, Array]) -> int:
    """Number of rows."""
    return len(lesions["trajectory"]) if lesions else 0


def counts(schema: Schema, parts: Iterable[Packed]) -> tuple[int, ...]:
    """Number of rows of each part, none where the study does not store the table."""
    return tuple(count(part.result.lesions) for part in parts) if schema.lesions else ()


def stored(schema: Schema, columns: Mapping[str, Array]) -> dict[str, Array]:
    """The columns of /lesions, with those that follow from the others."""
    who = schema.identity_of(np.asarray(columns["trajectory"], dtype=np.int64))
    names = organs(schema)
    organ = np.array([names.index(name) for name in schema.organs], np.uint8)
    found = {
        "trajectory_id": columns["trajectory"],
        "patient_id": who["patient_id"],
        "arm_index": who["arm_index"],
        "organ": organ[columns["rule"]] if len(organ) else columns["rule"],
    }
    return found | {name: columns[name] for name in LESION_COLUMNS if name not in found}


def organs(schema: Schema) -> tuple[str, ...]:
    """Each organ once, in the order of the rules."""
    return tuple(dict.fromkeys(schema.organs))


def texts(schema: Schema, name: str) -> Sequence[str]:
    """What the numbers of a column stand for; empty where they are numbers."""
    if name == "status":
        return [Status(k).meaning if k in set(Status) else "" for k in range(256)]
    return {"arm_index": schema.arms, "rule": schema.founder_rules, "organ": organs(schema)}.get(name, ())


def attributes(schema: Schema, name: str) -> dict[str, object]:
    """Attributes of a column by the conventions of the root (CF): its meaning, its unit, what its numbers stand for."""
    variable = LESION_COLUMNS[name]
    found: dict[str, object] = {"long_name": variable.meaning, "units": variable.units, **variable.attributes}
    words = texts(schema, name)
    if words and name != "status":
        found["flag_values"] = np.arange(len(words), dtype=np.uint8)
        found["flag_meanings"] = " ".join("_".join(word.split()) or "unspecified" for word in words)
    return found


class Table:
    """/lesions of a file under construction, `rows` long."""

    def __init__(self, file: Any, schema: Schema, rows: int, write: Callable[[str, int, Array], None]) -> None:
        """`write(name, start, values)` writes a whole block of a dataset."""
        self.schema, self.rows, self._write, self._done = schema, rows, write, 0
        shapes = {name: ((), variable.dtype, variable.fill) for name, variable in LESIONS.items()}
        self._blocks = Rows(rows, BLOCK, shapes)
        group = file[GROUP]
        axis = group.create_dataset("row", (rows,), ">f4")  # nothing is ever written into it, and takes no space
        axis.make_scale(_NO_COORDINATE.format(rows))
        storage = {"chunks": (min(BLOCK, rows),), "shuffle": True, "compression": 1} if rows else {}
        for name, variable in LESION_COLUMNS.items():
            dataset = group.create_dataset(name, (rows,), variable.dtype, fillvalue=variable.fill, **storage)
            if np.isnan(variable.fill):
                dataset.attrs["_FillValue"] = np.array(variable.fill, dtype=variable.dtype)
            for key, value in attributes(schema, name).items():
                dataset.attrs[key] = value
            dataset.dims[0].attach_scale(axis)

    def add(self, start: int, columns: Mapping[str, Array]) -> None:
        """Rows from `start` on, each once, as `given` returns them."""
        number = count(columns)
        self._done += number
        for block in self._blocks.add(start, number, columns):
            self._put(block)

    def finish(self) -> None:
        """Raises CtcError (B901) where rows are missing."""
        if self._done != self.rows:
            raise _bug(f"{self._done} of {self.rows} lesions were handed over")
        for block in self._blocks.rest():
            self._put(block)

    def _put(self, block: Block) -> None:
        for name, values in stored(self.schema, block.columns).items():
            self._write(f"{GROUP}/{name}", block.start, values)


def places(runs: Iterable[tuple[int, int]]) -> tuple[dict[int, int], int]:
    """From (first id, lesions) of each range: the row at which the lesions of a range begin, and how many there are.

    >>> places([(512, 3), (0, 7)])
    ({0: 0, 512: 7}, 10)
    """
    starts, at = {}, 0
    for first, number in sorted(runs):
        starts[first] = at
        at += number
    return starts, at


class Lesions(Mapping[str, Array]):
    """The table of lesions of a result: columns by name, each read when it is first asked for; see /lesions in schema
    1.0.

    results.lesions["size"] is an array with one entry a lesion, `rows` long; `of` gives the rows of one trajectory,
    `to_pandas` a table with words instead of numbers of arms, rules, organs and statuses.
    """

    def __init__(self, schema: Schema, rows: int, read: Callable[[str, int, int], Array]) -> None:
        """`read(name, start, stop)` gives rows of a column."""
        self.schema, self.rows = schema, rows
        self._read, self._held = read, dict[str, Array]()

    @classmethod
    def in_memory(cls, schema: Schema, columns: Mapping[str, Array]) -> Lesions:
        """From columns as ranges give them, of all trajectories and in order."""
        whole = stored(schema, {name: np.asarray(values) for name, values in columns.items()})
        return cls(schema, count(columns), lambda name, start, stop: whole[name][start:stop])

    def __getitem__(self, name: str) -> Array:
        if name not in LESION_COLUMNS:
            raise KeyError(name)
        if name not in self._held:
            self._held[name] = self._read(name, 0, self.rows)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(LESION_COLUMNS)

    def __len__(self) -> int:
        return len(LESION_COLUMNS)

    def __repr__(self) -> str:
        return f"<Lesions: {self.rows} rows of {', '.join(self)}>"

    def part(self, name: str, start: int, stop: int) -> Array:
        """Rows `start` to `stop - 1` of a column; of a file only these are read."""
        return self._held[name][start:stop] if name in self._held else self._read(name, start, stop)

    def of(self, trajectory: int) -> dict[str, Array]:
        """The rows of one trajectory, by column; of a file little more than these are read."""
        start, stop = (self._first(trajectory + k) for k in (0, 1))
        return {name: self.part(name, start, stop) for name in self}

    def _first(self, trajectory: int) -> int:
        """The first row of a trajectory that is not below this one: by bisection over blocks, then within one."""
        low, high = 0, -(-self.rows // BLOCK)
        while low < high:
            middle = (low + high) // 2
            if int(self.part("trajectory_id", middle * BLOCK, middle * BLOCK + 1)[0]) < trajectory:
                low = middle + 1
            else:
                high = middle
        start = max(low - 1, 0) * BLOCK
        return start + int(np.searchsorted(self.part("trajectory_id", start, start + BLOCK), trajectory))

    def given(self, start: int, stop: int) -> dict[str, Array]:
        """Rows `start` to `stop - 1` as a range gives them."""
        names = {name: "trajectory_id" if name == "trajectory" else name for name in LESIONS}
        return {name: self.part(column, start, stop) for name, column in names.items()}

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with one row a lesion; arm, rule, organ and status are categories."""
        try:
            import pandas as pd
        except ImportError:
            fix = "python -m pip install pandas"
            raise CtcError(Problem("R509", "this needs pandas, which is not installed", fix=fix), Exit.USAGE) from None

        columns: dict[str, Any] = {}
        for name in self:
            words = texts(self.schema, name)
            values: Any = self[name]
            if words:
                known = [word for word in words if word]
                numbers = np.array([known.index(word) if word else -1 for word in words])
                values = pd.Categorical.from_codes(numbers[values], known)
            columns["arm" if name == "arm_index" else name] = values
        return pd.DataFrame(columns)


def _bug(what: str) -> CtcError:
    return CtcError(Problem("B901", what, why="every lesion belongs to exactly one trajectory"), Exit.BUG)
