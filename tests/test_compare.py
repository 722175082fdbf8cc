"""The content hash, and how differences are reported."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from ctcdyn.comparison import comparison_data, comparison_text
from ctcdyn.errors import CtcError
from ctcdyn.store.content import compare, content_hash
from ctcdyn.store.verification import verify
from synthetic import Cohort, schema, seeded


@pytest.fixture
def cohort(request: pytest.FixtureRequest) -> Cohort:
    return Cohort(schema(), seeded(request.node.nodeid))


def naive_hash(path: Path) -> str:
    """The definition, word for word, with the whole file in memory."""
    digest = hashlib.sha256()
    with h5py.File(path, "r") as file:
        found: dict[bytes, h5py.Dataset] = {}
        file.visititems(
            lambda name, item: found.update({name.encode(): item}) if hasattr(item, "dtype") else None
        )
        for name in sorted(found):
            if name.startswith((b"provenance/", b"summary_state/")) or name == b"wall_time":
                continue
            values = found[name][()]
            text = values.dtype.kind == "O"
            kind = b"text" if text else values.dtype.newbyteorder("<").str.encode()
            digest.update(name + b"\0" + kind + b"\0" + ",".join(map(str, values.shape)).encode() + b"\0")
            if text:
                for label in values:
                    digest.update(struct.pack("<Q", len(label)) + label)
            else:
                digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def test_hash_is_the_definition(tmp_path: Path, cohort: Cohort) -> None:
    path = cohort.write(tmp_path / "a.h5")
    assert content_hash(path) == naive_hash(path)


def test_storage_order_provenance_and_wall_time_do_not_count(tmp_path: Path, cohort: Cohort) -> None:
    first = cohort.write(tmp_path / "a.h5")
    other = dataclasses.replace(cohort.schema, provenance={"seed": 9, "host": "elsewhere"})
    cohort.schema = other
    second = cohort.write(tmp_path / "b.h5", [(512, 1000), (0, 512)])
    with h5py.File(second, "r+") as file:
        values = file["n_steps"][...]
        del file["n_steps"]
        file.create_dataset(
            "n_steps", data=values.astype(">u4"), chunks=(7,), compression="gzip", compression_opts=9
        )
        file["wall_time"] = np.zeros(1000, dtype=np.float32)
        file.attrs["history"] = "touched"
    found = compare(first, second)
    assert found.same
    assert found.differences == ()
    assert found.provenance["seed"] == (2**63 + 5, 9)
    assert found.provenance["host"] == (None, "elsewhere")
    text = comparison_text(found)
    assert text.startswith("same content")
    assert "9223372036854775813  |  9" in text


def test_studies_are_compared_key_by_key(tmp_path: Path, cohort: Cohort) -> None:
    def made(name: str, t_end: float, **more: object) -> Path:
        study = {"simulate": {"t_end": t_end, "method": "direct"}, "filler": "x" * 600, **more}
        provenance = {"config_resolved_json": json.dumps(study), "config_toml": "y" * len(name) * 80, "host": name}
        cohort.schema = dataclasses.replace(cohort.schema, provenance=provenance)
        return cohort.write(tmp_path / name)

    text = comparison_text(compare(made("a.h5", 20.0), made("bb.h5", 30.0, population={"patients": 3})))
    lines = [line.split() for line in text.splitlines()]
    assert ["simulate.t_end", "20.0", "|", "30.0"] in lines
    assert ["population.patients", "-", "|", "3"] in lines
    assert ["host", "a.h5", "|", "bb.h5"] in lines
    assert ["config_toml", "1", "line,", "320", "characters", "|", "1", "line,", "400", "characters"] in lines
    assert "filler" not in text
    assert "simulate.method" not in text


def test_one_bit_is_found(tmp_path: Path, cohort: Cohort) -> None:
    first = cohort.write(tmp_path / "a.h5")
    second = tmp_path / "b.h5"
    shutil.copy(first, second)
    with h5py.File(second, "r+") as file:
        value = file["params"][987, 1]
        file["params"][987, 1] = np.nextafter(value, np.inf)
    found = compare(first, second)
    assert not found.same
    (difference,) = found.differences
    assert (difference.path, difference.elements, difference.size) == ("params", 1, 4000)
    assert difference.absolute == np.nextafter(value, np.inf) - value
    assert 0 < difference.relative < 2.3e-16


@pytest.mark.parametrize("name", ["bin_edges", "node_mean", "seed", "config_toml"])
def test_what_is_no_content_is_verified_too(tmp_path: Path, cohort: Cohort, name: str) -> None:
    """The state of the summaries, which merging reads, and the account of how the file was made."""
    path = cohort.write(tmp_path / "a.h5")
    before = content_hash(path)
    verify(path)
    with h5py.File(path, "r+") as file:
        if name in file["summary_state"]:
            values = file["summary_state"][name]
            values[(0,) * values.ndim] = np.nextafter(values[(0,) * values.ndim], np.inf)
        else:
            file["provenance"].attrs[name] = 1 if name == "seed" else "another study"
    assert content_hash(path) == before
    with pytest.raises(CtcError, match="how it was made or the state of its summaries"):
        verify(path)


def test_each_kind_of_difference_is_named(tmp_path: Path, cohort: Cohort) -> None:
    first = cohort.write(tmp_path / "a.h5")
    second = tmp_path / "b.h5"
    shutil.copy(first, second)
    with h5py.File(second, "r+") as file:
        file["species_units"][1] = "1e3"
        file["event_time"][5, 0] = np.nan
        file["var"][0, 0, 0] = -0.0 if file["var"][0, 0, 0] == 0 else 0.0
        del file["n_reactions"]
        file["novelty"] = [1.0]
        values = file["n_steps"][...]
        del file["n_steps"]
        file["n_steps"] = values.astype("u8")
        values = file["replicate"][...]
        del file["replicate"]
        file["replicate"] = values[:10]
    found = compare(first, second)
    by_path = {difference.path: difference for difference in found.differences}
    assert by_path["species_units"].what == "text differs"
    assert by_path["event_time"].absolute == np.inf
    assert by_path["n_reactions"].what == "only in the first file"
    assert by_path["novelty"].what == "only in the second file"
    assert by_path["n_steps"].what == "type <u4 and <u8"
    assert by_path["replicate"].what == "shape (1000,) and (10,)"
    assert set(by_path) == {
        "species_units",
        "event_time",
        "var",
        "n_reactions",
        "novelty",
        "n_steps",
        "replicate",
    }
    assert len(json.dumps(comparison_data(found), allow_nan=False)) > 100
    text = comparison_text(found)
    assert text.startswith("different content")
    assert "event_time        values differ: 1 of 1 000, at most inf absolute" in text


def test_minus_zero_is_another_byte_but_no_distance(tmp_path: Path, cohort: Cohort) -> None:
    cohort.event_time[3] = 0.0
    first = cohort.write(tmp_path / "a.h5")
    cohort.event_time[3] = -0.0
    (difference,) = compare(first, cohort.write(tmp_path / "b.h5")).differences
    assert (difference.elements, difference.absolute, difference.relative) == (1, 0.0, 0.0)


def test_comparing_with_something_else_is_an_error(tmp_path: Path, cohort: Cohort) -> None:
    first = cohort.write(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_text("no")
    with pytest.raises(CtcError, match=r"b\.h5 is not an HDF5 file"):
        compare(first, tmp_path / "b.h5")
