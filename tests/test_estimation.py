"""What a run will need, told before it begins: an upper bound of bytes, a time by a pilot, and ways out of what is too
much."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from commands import command
from ctcdyn import estimation, study
from ctcdyn.ensemble import plan, run_range
from ctcdyn.errors import CtcError, Exit
from ctcdyn.estimation import Pilot, estimate, size_text
from ctcdyn.store.content import content_hash

STUDY = """schema = 1
[model]
use = "ctc_linear"
[population]
patients = PATIENTS
[population.draw]
clearance = { dist = "lognormal", median = "16 /day", sigma = 0.3 }
[simulate]
method = "direct"
t_end = "2 days"
save = { every = "12 hours" }
[ensemble]
seed = 3
[output]
file = "out.h5"
keep = 600
picture = false
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    text = STUDY.replace("PATIENTS", "1300")
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    return tmp_path / "s.toml"


def test_an_estimate_is_an_upper_bound(written: Path) -> None:
    needs, expected, size = study.forecast(str(written), threads=1)
    assert expected is not None
    assert (expected.more, size > 0) == (False, True)
    assert 0.0 < expected.seconds < 60.0
    assert command("run", written, "--threads", 1, "--progress", "none")[0] == 0
    size = written.with_name("out.h5").stat().st_size
    assert size < needs.result + 200_000  # names, attributes and the texts of the provenance come on top
    assert needs.count == 1300
    _, _, schema = study._plan(study.load_study(str(written)), False, (1, 3))
    assert estimate(schema, 1).result < needs.result
    assert estimate(schema, 4).memory > estimate(schema, 1).memory


def test_a_pilot_changes_no_bit_and_is_told(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pilot of every size, in a run, in its resumption, in a shard: the same content as with none."""
    assert command("run", written, "--progress", "none")[0] == 0
    content = content_hash("out.h5")
    monkeypatch.setattr(estimation, "SHARE", 1)
    for more in ([], ["--threads", 3], ["--shard", "1/1"]):
        code, _, err = command("run", written, "--progress", "plain", "--overwrite", *more)
        assert code == 0
        assert re.search(r"^1300 trajectories take (about|less than) .*, by a pilot of \d+ of them$", err, re.MULTILINE)
        assert content_hash("out.h5") == content
    shown = command("estimate", written)[1]
    assert "by a pilot of" in shown
    found = json.loads(command("estimate", written, "--json")[1])
    assert found["seconds"] > 0
    assert found["at_least"] is False


def test_a_small_run_has_no_pilot(written: Path) -> None:
    code, _, err = command("run", written, "-s", "population.patients=300", "--progress", "plain")
    assert code == 0
    assert "pilot" not in err
    assert "needs up to" in err


def test_trajectories_of_a_pilot_come_from_all_over(written: Path) -> None:
    linked, ensemble, _ = study._plan(study.load_study(str(written), ["population.patients=100000"]), False, (1, 1))
    kernel = linked.compile()
    spans = Pilot(kernel, ensemble, np.arange(ensemble.leaves))._spans
    assert [span.first // 25_000 for span in spans] == [0, 0, 1, 2] or len({span.first for span in spans}) == 4
    assert max(span.first for span in spans) > 70_000
    assert Pilot(kernel, ensemble, np.arange(7, 9))._spans[0].first == 7 * 256
    assert Pilot(kernel, ensemble, np.arange(0)).forecast(0, 1, 1.0) is None


def test_a_pilot_tells_the_order_of_magnitude(written: Path) -> None:
    """Against the same range run in full, as the same thread takes it: a factor of ten covers a busy machine."""
    linked, ensemble, _ = study._plan(study.load_study(str(written), ["population.patients=8192"]), False, (1, 1))
    kernel = linked.compile()
    pilot = Pilot(kernel, ensemble, np.arange(ensemble.leaves))
    expected = pilot.forecast(ensemble.count, 1, 60.0)
    began = time.monotonic()
    rows = sum(len(part.status) for span in plan(ensemble, 1) for part in run_range(kernel, ensemble, span))
    took = time.monotonic() - began
    assert rows == 8192
    assert expected is not None
    assert took / 10 < expected.seconds < 10 * took


def test_a_pilot_can_be_stopped(written: Path) -> None:
    """By its own patience and from outside, in the middle of a trajectory; what it then says is a lower bound."""
    heavy = ['simulate.t_end="100 years"', "simulate.save={ n = 3 }", "population.patients=100000"]
    linked, ensemble, _ = study._plan(study.load_study(str(written), heavy), False, (1, 1))
    kernel = linked.compile()
    for patience, stop in ((0.2, None), (60.0, 0.2)):
        pilot = Pilot(kernel, ensemble, np.arange(ensemble.leaves))
        timer = threading.Timer(stop or 0.0, pilot.stop if stop else partial(int, 0))
        timer.start()
        began = time.monotonic()
        found = pilot.forecast(ensemble.count, 1, patience)
        assert time.monotonic() - began < 20
        assert found is not None
        assert found.more
        assert "more than" in found.line(1, 1)
        assert not ensemble.halted
        timer.join()


def test_what_is_over_a_limit_is_refused_with_ways_out(written: Path) -> None:
    code, out, err = command("run", written, "-s", 'limits.disk="150 kB"', "-s", 'limits.memory="1 MB"', "--threads", 2)
    assert (code, out) == (int(Exit.RESOURCES), "")
    assert "limits.disk is 150 kB" in err
    assert "limits.memory is 1 MB" in err
    assert re.search(r"--keep none saves [\d.]+ [kM]B", err)
    assert re.search(r'precision = "single" saves [\d.]+ [kM]B', err)
    assert re.search(r"--threads 1 saves [\d.]+ MB", err)
    code, _, err = command("run", written, "-s", f"population.patients={2**50}")
    assert code == Exit.RESOURCES
    assert "free space is" in err
    assert sorted(path.name for path in written.parent.iterdir()) == ["s.toml"]
    with pytest.raises(CtcError, match="R507"):
        study.run(study.load_study(str(written), ['limits.disk="10 kB"']))
    assert sorted(path.name for path in written.parent.iterdir()) == ["s.toml"]


def test_ways_out_are_ways_out(written: Path) -> None:
    """What a message offers is then accepted."""
    wide = ["population.patients=4000", "output.keep=4000"]
    limit = 'limits.disk="5 MB"'
    options = [word for change in (*wide, limit) for word in ("-s", change)]
    code, _, err = command("run", written, *options)
    assert code == Exit.RESOURCES
    fits = re.search(r"--keep (\d+) fits", err)
    parts = re.search(r"--shard i/(\d+) needs", err)
    assert fits is not None
    assert parts is not None
    assert command("run", written, *options, "--keep", fits[1], "--progress", "none")[0] == 0
    assert command("run", written, *options, "--shard", f"1/{parts[1]}", "--progress", "none")[0] == 0


def test_a_finished_run_needs_no_space_and_an_unfinished_one_less(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--resume` of what is there asks for nothing; what is committed is not asked for again."""
    assert command("run", written, "--progress", "none")[0] == 0
    needs = study.forecast(str(written), threads=1)[0]
    free = 0
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert command("run", written, "--resume", "--progress", "none")[0] == 0
    Path("out.h5").unlink()
    code, _, err = command("run", written, "--resume", "--progress", "none")
    assert code == Exit.RESOURCES
    assert "free space is 0 B" in err
    Path("out.h5.parts").mkdir()
    (Path("out.h5.parts") / "000001.h5").write_bytes(bytes(needs.disk // 2))
    free = needs.disk // 2 + 1
    _, _, schema = study._plan(study.load_study(str(written)), False, (1, 1))
    assert estimation.refuse(schema, 1, "out.h5", None, needs.disk) == needs
    free = needs.disk // 2 - 2
    with pytest.raises(CtcError, match=r"of disk more \(.* are there\), free space is"):
        estimation.refuse(schema, 1, "out.h5", None, None)


def test_sizes_are_said_with_three_digits() -> None:
    assert [size_text(n) for n in (0, 999, 1000, 1234567, 10**15)] == ["0 B", "999 B", "1 kB", "1.23 MB", "1000 TB"]
