"""How full paths are stored: precision and compression change bytes on disk, and no number but by rounding."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from commands import command, small_study
from ctcdyn.errors import Exit
from ctcdyn.results import open_results
from ctcdyn.store.content import content_hash


def written(study: Path, target: Path, precision: str, compression: str) -> Path:
    options = ["-s", f'output.precision="{precision}"', "-s", f'output.compression="{compression}"', "--keep", "all"]
    code, _, err = command("run", study, "-o", target, "--progress", "none", *options)
    assert code == 0, err
    return target


def test_paths_are_stored_as_asked(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    files = {
        (precision, compression): written(study, tmp_path / f"{precision}_{compression}.h5", precision, compression)
        for precision in ("double", "single")
        for compression in ("gzip", "none")
    }
    for (precision, compression), file in files.items():
        with h5py.File(file) as root:
            assert root["state"].dtype == (np.float64 if precision == "double" else np.float32)
            assert root["state"].compression == ("gzip" if compression == "gzip" else None)
            assert root["final_state"].dtype == np.float64  # rows are never rounded
        with open_results(file) as results:
            assert results.schema.compressed == (compression == "gzip")
            assert results.schema.state_dtype == ("f8" if precision == "double" else "f4")
    for precision in ("double", "single"):
        assert content_hash(files[precision, "gzip"]) == content_hash(files[precision, "none"])
    with open_results(files["double", "gzip"]) as double, open_results(files["single", "none"]) as single:
        np.testing.assert_array_equal(double.state.astype(np.float32), single.state)
        np.testing.assert_array_equal(double.mean, single.mean)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('output.precision="half"', 'must be "double" or "single", not the text "half"'),
        ("output.precision=4", 'must be "double" or "single", not 4'),
        ('output.compression="zstd"', 'must be "gzip" or "none"'),
    ],
)
def test_another_word_is_told(change: str, words: str, tmp_path: Path) -> None:
    code, out, err = command("check", small_study(tmp_path), "-s", change)
    assert (code, out) == (int(Exit.CONFIG), "")
    assert "error[C105]" in err
    assert words in err


def test_a_kind_of_picture_that_there_is_not_is_exit_2_and_the_kinds_are_told() -> None:
    code, out, err = command("plot", "x.h5", "--kind", "pie")
    assert (code, out) == (Exit.USAGE, "")
    assert "bands, fates" in err
