"""Writes a result file: schema 1.0, one file, memory that does not grow with the number of trajectories.

    with Store.open("cohort.h5", schema) as store:
        for result in execute(...):          # ranges of ids, in any order
            store.append(result)
        store.finish(root, sketch)           # summary, then the file gets its name

Until `finish` the file has a temporary name in the same directory; on an exception it is removed. The
format is HDF5 with netCDF-4 dimension scales (`libver=("earliest", "v108")`), so that xarray, MATLAB, R and
Julia open it without plug-ins.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store import fates
from ctcdyn.store.chunks import Block, Encoder, Rows, encode
from ctcdyn.store.content import hash_of, rest_of
from ctcdyn.store.disk import DraftFile
from ctcdyn.store.files import Data
from ctcdyn.store.layout import (
    BLOCK,
    COORDINATES,
    LEAF,
    PATH_NAMES,
    RESERVED,
    ROW_NAMES,
    SCHEMA_VERSION,
    Array,
    Schema,
    Variable,
)
from ctcdyn.store.lesions import GROUP as LESION_GROUP
from ctcdyn.store.lesions import Table
from ctcdyn.store.paths import Key, Packed, PathCoder, chunk_shape
from ctcdyn.store.summary import Counts, Moments, relative_error, summarise

_SKETCH_CHUNK = 1 << 20
_SHORT = 256  # characters: longer text goes into a dataset, since HDF5 limits attributes to 64 KiB


class Range(Protocol):
    """What the ensemble hands over for ids `first` to `first + n - 1`.

    status u1 (n), n_steps u4 (n), n_reactions u8 (n), params f8 (n, P), final_state f8 (n, S), event_time
    f8 (n, E), event_observed u1 (n, E); kept_ids i8 (m), state f8 (m, T, S), observables f8 (m, T, O) of
    the ids below `keep`.
    """

    @property
    def first(self) -> int: ...
    @property
    def status(self) -> Array: ...
    @property
    def kept_ids(self) -> Array: ...


class Store:
    """One result file under construction; `append` and `finish` are for one thread."""

    def __init__(self, draft: DraftFile, file: Any, schema: Schema, virtual: Mapping[str, Any]) -> None:
        self.schema, self._virtual = schema, virtual
        self.path = draft.path
        self._draft, self._file = draft, file
        self._encoder = Encoder()
        self._open = True
        present = schema.variables()
        self._row_names = [name for name in ROW_NAMES if name in present]
        self._coder = PathCoder(schema)
        self._rows = Rows(schema.count, BLOCK, self._shapes(present, self._row_names))
        self._paths = Rows(schema.kept, LEAF, self._shapes(present, self._coder.names))
        self._lesions: Table | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        schema: Schema,
        overwrite: bool = False,
        draft_in: Path | None = None,
        virtual: Mapping[str, Any] | None = None,
        lesions: int = 0,
    ) -> Self:
        """Begin a result file at `path`, under a temporary name beside it or in the folder `draft_in`.

        `virtual`: the arrays of full paths that are read from other files, as layouts of h5py; `lesions`: how many rows
        the table of lesions will have, where the schema has one.

        An existing file or a directory that cannot be written is a CtcError with Exit.OUTPUT, at once; with
        `overwrite` the old file stays until the new one is whole.
        """
        import h5py

        draft = DraftFile(Path(path), overwrite, draft_in)
        versions = ("earliest", "v110" if virtual else "v108")  # HDF5 1.10 has brought virtual datasets
        store = cls(draft, h5py.File(draft, "w", libver=versions), schema, virtual or {})
        try:
            store._lay_out(lesions)
            draft.check()
        except BaseException:
            store.discard()  # an open file would be flushed when Python ends, and crash
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._open:
            self.discard()
            if kind is None:
                raise CtcError(Problem("B901", f"{self.path} was left before it was finished"), Exit.BUG)

    def append(self, ready: Range | Packed) -> None:
        """Take the rows of one range; a row may come only once. A full disk is a CtcError, Exit.RESOURCES."""
        packed = ready if isinstance(ready, Packed) else Packed(ready, {})
        result, chunks = packed.result, packed.chunks
        rows = len(result.status)
        columns = self._columns(result, self._row_names, rows)
        for block in self._rows.add(result.first - self.schema.first, rows, columns):
            self._write_rows(block)
        self._columns(result, self._coder.names, len(result.kept_ids))
        for start, length, paths in self._coder.runs(result):
            for block in self._paths.add(start, length, paths):
                self._write_paths(block, chunks)
        self._draft.check()

    def append_lesions(self, start: int, columns: Mapping[str, Array]) -> None:
        """Rows `start` and on of the table of lesions, as `lesions.given` returns them; each may come only once."""
        assert self._lesions is not None, "the schema has no table of lesions"
        self._lesions.add(start, columns)
        self._draft.check()

    def finish(
        self,
        root: Moments,
        sketch: Counts | None,
        provenance: Mapping[str, str | int | float] | None = None,
        nodes: Sequence[tuple[int, int, Moments]] | None = None,
    ) -> None:
        """Write the summary and what is known only now (`provenance`: end of the run), then publish the file.

        `nodes`: (level, position, moments) from which `root` was merged, for results that others are merged with.
        """
        for block in self._rows.rest():
            self._write_rows(block)
        for block in self._paths.rest():
            self._write_paths(block, {})
        if self._lesions is not None:
            self._lesions.finish()
        self._write_identity()
        levels = (max(1, -(-self.schema.count // LEAF)) - 1).bit_length()
        self._write_summary(root, sketch, nodes or [(levels, self.schema.first // LEAF >> levels, root)])
        write_provenance(self._file["provenance"], provenance or {})
        self._draft.check()
        self._file.close()
        self._open = False
        try:
            self._seal()
        except BaseException:
            self._draft.discard()
            raise
        self._draft.publish()

    def _seal(self) -> None:
        """Read back what was written and note its hashes, so that `verify` can prove the file later."""
        import h5py

        self._draft.check()
        with h5py.File(self._draft, "r") as file:
            content, rest = hash_of(file, self.path.parent), rest_of(file)
        with h5py.File(self._draft, "r+") as file:
            file["provenance"].attrs["content_sha256"] = content
            file["provenance"].attrs["rest_sha256"] = rest
        self._draft.check()

    def discard(self) -> None:
        """Give up: close and remove the temporary file."""
        self._open = False
        with contextlib.suppress(RuntimeError, ValueError, OSError):
            self._file.close()
        self._draft.discard()

    def _shapes(
        self, present: Mapping[str, Variable], names: list[str]
    ) -> dict[str, tuple[tuple[int, ...], str, float | int]]:
        sizes = self.schema.sizes
        return {
            name: (
                tuple(sizes[axis] for axis in present[name].axes[1:]),
                present[name].dtype,
                present[name].fill,
            )
            for name in names
        }

    def _columns(self, result: Range, names: list[str], rows: int) -> dict[str, Array]:
        """Arrays of the result by name, with their shapes checked."""
        sizes, present = self.schema.sizes, self.schema.variables()
        columns = {}
        for name in names:
            values = np.asarray(getattr(result, name))
            expected = (rows, *(sizes[axis] for axis in present[name].axes[1:]))
            if values.shape != expected:
                what = f"range at id {result.first}: {name} has shape {values.shape}, not {expected}"
                raise CtcError(Problem("B901", what), Exit.BUG)
            columns[name] = values
        return columns

    def _lay_out(self, lesions: int) -> None:
        """Create every dataset at its full size, coordinates and attributes included."""
        file, schema = self._file, self.schema
        file.attrs["Conventions"] = "CF-1.11"
        file.attrs["title"] = schema.title or "ctcdyn ensemble"
        file.attrs["source"] = f"ctcdyn {schema.provenance.get('ctcdyn_version', '')}".strip()
        file.attrs["ctcdyn_schema"] = SCHEMA_VERSION
        plain = ("method", "first", "count", "total", "keep", "replicates", "state_dtype", "compressed", "low_count")
        for name in plain:
            file.attrs[name] = getattr(schema, name)
        if schema.patients is not None:
            file.attrs["patients"] = schema.patients
        if schema.whole:
            file.attrs["whole"] = " ".join(schema.whole)
        for name, variable in schema.variables().items():
            self._create(name, variable)
        for name, meaning in RESERVED.items():
            written = (schema.lesions and name == LESION_GROUP) or (bool(schema.fates) and name == fates.GROUP)
            file.create_group(name).attrs["long_name" if written else "reserved"] = meaning
        if schema.lesions:
            self._lesions = Table(file, schema, lesions, self._write_columns)
        file.create_group("summary_state")
        import h5py

        own = {"h5py": h5py.__version__, "hdf5": h5py.version.hdf5_version}
        write_provenance(file.create_group("provenance"), own | dict(schema.provenance))

    def _create(self, name: str, variable: Variable) -> None:
        import h5py

        schema, sizes = self.schema, self.schema.sizes
        shape = tuple(sizes[axis] for axis in variable.axes)
        if variable.dtype == "text":
            dataset = self._file.create_dataset(name, data=schema.texts(name), dtype=h5py.string_dtype("utf-8"))
        elif name in self._virtual:
            dataset = self._file.create_virtual_dataset(name, self._virtual[name], fillvalue=variable.fill)
            dataset.attrs["_FillValue"] = np.array(variable.fill, dtype=variable.dtype)
        else:
            storage: dict[str, Any] = {}
            if variable.axes[0] in ("trajectory", "kept") and shape[0]:
                storage = {"chunks": self._chunk(variable, shape)}
                if self.schema.compressed or name not in PATH_NAMES:
                    storage |= {"shuffle": True, "compression": 1}
            dataset = self._file.create_dataset(
                name, shape, variable.dtype, fillvalue=variable.fill, **storage
            )
            if np.dtype(variable.dtype).kind == "f":
                # integers have no such attribute: xarray would turn statuses and ids into floats
                dataset.attrs["_FillValue"] = np.array(variable.fill, dtype=variable.dtype)
        if name in ("time", "quantile"):
            dataset[...] = schema.labels(name)
        units = schema.units(variable)
        for key, value in {"long_name": variable.meaning, "units": units, **variable.attributes}.items():
            if value is not None:
                dataset.attrs[key] = value
        if name in COORDINATES:
            dataset.make_scale(name)
        else:
            for axis, label in enumerate(variable.axes):
                dataset.dims[axis].attach_scale(self._file[label])

    @staticmethod
    def _chunk(variable: Variable, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) < 3:
            return (min(BLOCK, shape[0]), *(1 for _ in shape[1:]))
        return chunk_shape(variable, shape)

    def _write_rows(self, block: Block) -> None:
        for name, values in block.columns.items():
            self._write_columns(name, block.start, values)

    def _write_columns(self, name: str, start: int, values: Array) -> None:
        """One chunk for each column of `values` (rows,) or (rows, width)."""
        dataset = self._file[name]
        rows = dataset.chunks[0]
        table = values[:, None] if values.ndim == 1 else values
        columns = np.ascontiguousarray(table.T, dtype=dataset.dtype)
        if columns.shape[1] < rows:  # the last block: HDF5 stores chunks at full size
            padding = np.full((len(columns), rows - columns.shape[1]), dataset.fillvalue, dtype=dataset.dtype)
            columns = np.concatenate([columns, padding], axis=1)
        for number, column in enumerate(columns):
            offset = (start,) if values.ndim == 1 else (start, number)
            dataset.id.write_direct_chunk(offset, self._encoder.column(column))

    def _write_paths(self, block: Block, chunks: Mapping[Key, Data]) -> None:
        if not all((name, block.start, 0) in chunks for name in block.columns):
            chunks = dict(self._coder.encode(block.start, block.columns))
        for (name, row, time), data in chunks.items():
            if row == block.start:
                self._file[name].id.write_direct_chunk((row, time, 0), data)

    def _write_identity(self) -> None:
        schema = self.schema
        for start in range(0, schema.count, BLOCK):
            rows = schema.identity(start, min(BLOCK, schema.count - start))
            for name, values in rows.items():
                self._write_columns(name, start, values)
        for start in range(0, schema.kept, BLOCK):
            rows = schema.identity(start, min(BLOCK, schema.kept - start))
            self._write_columns("kept", start, rows["trajectory"])
            self._write_columns("kept_arm", start, rows["arm_index"])

    def _write_summary(
        self, root: Moments, sketch: Counts | None, nodes: Sequence[tuple[int, int, Moments]]
    ) -> None:
        schema, file = self.schema, self._file
        kinds = len(schema.species), schema.quantiles, schema.low_count, schema.counted
        summary = summarise(root, sketch, *kinds)
        for name, values in summary.items():
            if name in file:
                file[name][...] = values
        if schema.fates:
            fates.write(file, schema, summary)
        columns = (*schema.species, *schema.observables)
        self._state("node", np.arange(len(nodes)), ())
        self._state("column", list(columns), ())
        self._state("node_first", np.array([position << level for level, position, _ in nodes]), ("node",))
        self._state("node_level", np.array([level for level, *_ in nodes]), ("node",))
        self._state("node_n", np.stack([np.asarray(node.n) for *_, node in nodes]), ("node", "arm", "time"))
        for name in ("mean", "m2", "zeros"):
            values = np.stack([np.asarray(getattr(node, name)) for *_, node in nodes])
            self._state(f"node_{name}", values, ("node", "arm", "time", "column"))
        if sketch is None:
            return
        for name in ("quantiles", "obs_quantiles"):
            if name in file:
                file[name].attrs["relative_error"] = relative_error(sketch.bin_edges)
        edges = np.asarray(sketch.bin_edges, dtype=np.float64)
        self._state("bin_edges", edges, ())
        self._state("bin", np.arange(len(edges) - 1), ())
        self._write_sketch(np.asarray(sketch.counts))

    def _state(self, name: str, values: Any, axes: tuple[str, ...]) -> None:
        """A dataset of /summary_state; without `axes` it is an axis itself."""
        state = self._file["summary_state"]
        dataset = state.create_dataset(name, data=values)
        if not axes:
            dataset.make_scale(name)
        for number, axis in enumerate(axes):
            dataset.dims[number].attach_scale(state[axis] if axis in state else self._file[axis])

    def _write_sketch(self, counts: Array) -> None:
        arms, times, columns, bins = counts.shape
        if not counts.size:
            return
        step = min(times, max(1, _SKETCH_CHUNK // (columns * bins * 4)))
        shape = (1, step, columns, bins)
        dataset = self._file["summary_state"].create_dataset(
            "sketch_counts", counts.shape, "u4", chunks=shape, shuffle=True, compression=1
        )
        for number, axis in enumerate(("arm", "time", "summary_state/column", "summary_state/bin")):
            dataset.dims[number].attach_scale(self._file[axis])
        for arm in range(arms):
            for start in range(0, times, step):
                piece = counts[arm : arm + 1, start : start + step]
                chunk = np.zeros(shape, dtype=np.uint32)
                chunk[:, : piece.shape[1]] = piece
                dataset.id.write_direct_chunk((arm, start, 0, 0), encode(chunk))


def write_provenance(group: Any, entries: Mapping[str, str | int | float]) -> None:
    """Short entries as attributes, long or many-lined text as scalar datasets of the same name."""
    import h5py

    for name, value in entries.items():
        if isinstance(value, str):  # a command line may hold bytes that are no text, which HDF5 refuses
            value = value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
        if isinstance(value, str) and (len(value) > _SHORT or "\n" in value):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype("utf-8"))
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            group.attrs[name] = np.uint64(value)
        else:
            group.attrs[name] = value
