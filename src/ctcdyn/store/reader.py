"""Reads a result file: checks that it is one, then gives its arrays by name, each when it is asked for.

Files made by others or damaged end in a CtcError with a code R5xx, never in a traceback of the HDF5 library.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.disk import PlainFile
from ctcdyn.store.layout import SCHEMA_VERSION, VARIABLES, Array, Schema
from ctcdyn.store.lesions import GROUP, Lesions
from ctcdyn.store.virtual import Part, dataset_of, shards_needed, trouble


class FileArrays(Mapping[str, Array]):
    """The variables of a result file as numpy arrays (text as str), read when they are asked for."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._open = ResultFile(self.path)
        self._file = self._open.root
        with damage_reported(self.path):
            self._names = tuple(name for name in VARIABLES if name in self._file)

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        with damage_reported(self.path):
            return read_dataset(dataset_of(self._file, name, self.path.parent))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Rows `start` to `stop - 1` of one variable, without reading the rest."""
        with damage_reported(self.path):
            return np.asarray(dataset_of(self._file, name, self.path.parent)[start:stop])

    def sketch(self, arm: int, column: int) -> Array:
        """How many values of one column of the summary are in each bin, (T, B)."""
        with damage_reported(self.path):
            return np.asarray(self._file["summary_state/sketch_counts"][arm, :, column])

    def lesions(self, schema: Schema) -> Lesions:
        """The table of lesions; its columns are read when they are asked for."""
        with damage_reported(self.path):
            rows = len(self._file[f"{GROUP}/row"])
        return Lesions(schema, rows, lambda name, start, stop: self.rows(f"{GROUP}/{name}", start, stop))

    def chunk_shape(self, name: str) -> tuple[int, ...] | None:
        """Shape of the chunks that a variable is stored in; None where it is not, or is read from shards."""
        shape: tuple[int, ...] | None = self._file[name].chunks
        return shape

    def chunk(self, name: str, *place: int) -> bytes:
        """The chunk that begins there, as it is stored."""
        with damage_reported(self.path):
            skipped, data = self._file[name].id.read_direct_chunk((*place, *[0] * (self._file[name].ndim - len(place))))
            if skipped:
                raise ValueError(f"a chunk of {name} was stored without its filters")
            return bytes(data)

    def shards(self) -> dict[Part, Problem | None]:
        """The shards that full paths are read from, each with what is wrong with it; empty where all is in the file."""
        with damage_reported(self.path):
            return {part: trouble(part, self.path.parent) for part in shards_needed(self._file)}

    def check_shards(self) -> None:
        """Raises CtcError (exit 6, R519), all at once, where shards that this result reads are missing or changed."""
        told = [problem for problem in self.shards().values() if problem is not None]
        if told:
            raise CtcError(told, Exit.OUTPUT)

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return not self._file

    def close(self) -> None:
        """Close the file; arrays that were read stay valid."""
        self._open.close()

    def schema(self) -> Schema:
        """The schema the file was made with."""
        with damage_reported(self.path):
            return _schema(self._file)

    def provenance(self) -> dict[str, str | int | float]:
        """How the file was made: configuration, model, seed, versions."""
        with damage_reported(self.path):
            return read_provenance(self._file)


class ResultFile:
    """A result file open for reading: `root` is its h5py file."""

    def __init__(self, path: Path) -> None:
        import h5py

        if not path.is_file():
            what = f"{path} is a directory" if path.is_dir() else f"{path} does not exist"
            raise CtcError(Problem("R504", what), Exit.OUTPUT)
        self.root: Any = None
        try:
            self._disk = PlainFile(path)
        except OSError as error:
            what = f"{path} cannot be read: {os.strerror(error.errno or 0)}"
            raise CtcError(Problem("R504", what), Exit.OUTPUT) from None
        try:
            self.root = h5py.File(self._disk, "r")
            with damage_reported(path):
                _check_schema(path, self.root.attrs.get("ctcdyn_schema"))
        except CtcError:
            self.close()
            raise
        except (OSError, RuntimeError) as error:
            self.close()
            raise _unreadable(path, error) from None

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        if self.root is not None:
            self.root.close()
        self._disk.close()

    def __enter__(self) -> Any:
        return self.root

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _check_schema(path: Path, version: object) -> None:
    if isinstance(version, bytes):
        version = version.decode("utf-8", "replace")
    if not isinstance(version, str):
        raise CtcError(Problem("R504", f"{path} is an HDF5 file, but not a result of ctcdyn"), Exit.OUTPUT)
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        what = f"{path} has schema {version}; this version of ctcdyn reads {SCHEMA_VERSION}"
        raise CtcError(
            Problem("R504", what, fix="open it with the version that wrote it, or newer"), Exit.OUTPUT
        )


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Turn what h5py raises on damaged data into a CtcError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        fix = "make it again from the study; `ctcdyn inspect` shows what is left"
        raise CtcError(Problem("R505", f"{path} is damaged: {reason}", fix=fix), Exit.OUTPUT) from None


def read_dataset(dataset: Any) -> Array:
    """One dataset as an array; text as an array of str."""
    if dataset.dtype.kind == "O":
        return np.array(dataset.asstr()[()].tolist(), dtype=np.str_)
    return np.asarray(dataset[()])


def read_provenance(file: Any) -> dict[str, str | int | float]:
    """Attributes and scalar datasets of /provenance, by name."""
    group = file["provenance"]
    entries: dict[str, str | int | float] = {}
    for name, value in group.attrs.items():
        entries[name] = value.item() if isinstance(value, np.generic) else value
    for name, dataset in group.items():
        value = dataset.asstr()[()] if dataset.dtype.kind == "O" else dataset[()].item()
        entries[name] = value
    return dict(sorted(entries.items()))


def _schema(file: Any) -> Schema:
    def text(name: str) -> tuple[str, ...]:
        return tuple(read_dataset(file[name]).tolist()) if name in file else ()

    attributes = file.attrs
    edges = file["summary_state/bin_edges"][...] if "summary_state/bin_edges" in file else None
    return Schema(
        species=text("species"),
        species_units=text("species_units"),
        observables=text("observable"),
        observable_units=text("observable_units"),
        parameters=text("parameter"),
        parameter_units=text("parameter_units"),
        times=file["time"][...],
        count=int(attributes["count"]),
        total=int(attributes["total"]),
        first=int(attributes["first"]),
        keep=int(attributes["keep"]),
        arms=text("arm"),
        event_kinds=text("event_kind"),
        replicates=int(attributes["replicates"]),
        patients=int(attributes["patients"]) if "patients" in attributes else None,
        state_dtype=str(attributes["state_dtype"]),
        compressed=bool(attributes.get("compressed", True)),
        quantiles=tuple(file["quantile"][...].tolist()) if "quantile" in file else (),
        method=str(attributes["method"]),
        bin_edges=edges,
        low_count=float(attributes.get("low_count", 0.0)),
        weighted="weight" in file,
        whole=tuple(str(attributes.get("whole", "")).split()),
        provenance=read_provenance(file),
        title=str(attributes["title"]),
        founder_rules=text("founder_rule"),
        organs=text("founder_organ"),
        lesions=f"{GROUP}/row" in file,
        fates=text("fates/fate"),
    )


def _unreadable(path: Path, error: Exception) -> CtcError:
    with path.open("rb") as file:
        head = file.read(8)
    if head == b"\x89HDF\r\n\x1a\n":
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        what = f"{path} is damaged or incomplete: {reason}"
        return CtcError(Problem("R505", what, fix="make it again from the study"), Exit.OUTPUT)
    return CtcError(Problem("R504", f"{path} is not an HDF5 file"), Exit.OUTPUT)
