"""Submission: the scripts are right and do what they should, the copy of the study is the study, status tells what is
there. No scheduler is needed: test_slurm.py has a real one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import command
from ctcdyn import study, submission
from ctcdyn.cli.cluster import seconds
from ctcdyn.cli.studies import templates
from ctcdyn.config import load_study
from ctcdyn.errors import Exit
from ctcdyn.model.load import prepare
from ctcdyn.store.content import content_hash
from ctcdyn.store.lock import Lock
from slurm import until, written


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an odd name, and a PATH without a scheduler but with bash and this ctcdyn."""
    tools = tmp_path / "tools"
    tools.mkdir()
    needed = ("bash", "cat", "date", "dirname", "env", "grep", "id", "rm", "seq", "sleep", "uname")
    for name in needed:
        found = next(Path(at, name) for at in os.environ["PATH"].split(os.pathsep) if Path(at, name).exists())
        (tools / name).symlink_to(found)
    ctcdyn = tools / "ctcdyn"
    ctcdyn.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from ctcdyn.cli import main; main()" "$@"\n')
    ctcdyn.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    folder = tmp_path / "a folder's \"name\""
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def program(folder: Path, name: str, text: str) -> None:
    """A stand-in for a program, in the PATH of `alone`."""
    path = folder.parent / "tools" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def submitted(file: Path, shards: int = 3, *more: object) -> Path:
    """The folder of a submission on a machine without a scheduler."""
    code, out, err = command("submit", file, "--shards", shards, *more)
    assert code == Exit.RESOURCES
    assert "R517" in err
    assert f"for i in $(seq {shards})" in err
    assert "submit.sh" in out
    return file.with_suffix(".jobs")


# -- what is written -----------------------------------------------------------------------------


def test_scripts_are_bash_and_name_nothing_of_this_machine(alone: Path) -> None:
    options = ["--time", "1-12:00", "--cpus", 4, "--memory", "4G", "--partition", "long,short"]
    folder = submitted(written(alone), 3, *options)
    assert (folder / "logs").is_dir()
    for name in submission.SCRIPTS:
        subprocess.run(["bash", "-n", folder / name], check=True)
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"@\w+@", text)
        named = [str(alone), str(alone.parent), str(Path.home()) + "/", sys.prefix + "/"]
        assert not [path for path in named if path in text]
        assert text.startswith("#!/usr/bin/env bash\n")
    array = (folder / "shards.sh").read_text(encoding="utf-8")
    directives = re.findall(r"^#SBATCH (.*)$", array.split("\nset ")[0], flags=re.MULTILINE)
    assert directives == [
        "--job-name=my__own__study__HOME",
        "--output=logs/%x-%A_%a.out",
        "--open-mode=append",
        "--array=1-3",
        "--time=1-12:00",
        "--cpus-per-task=4",
        "--requeue",
        "--signal=B:USR1@120",
        "--mem=4G",
        "--partition=long,short",
    ]


def test_print_writes_and_submits_nothing(alone: Path) -> None:
    file = written(alone)
    program(alone, "sbatch", "touch sbatch-was-called")
    code, out, err = command("submit", file, "--shards", 2, "--print")
    assert (code, err) == (0, "")
    for name in (*submission.SCRIPTS, "study.toml"):
        assert f"# ---- {name}\n" in out
    code, out, err = command("submit", file, "--print")
    assert (code, err) == (0, "")
    assert '"shards": 3,' in out  # as many as the study has leaves
    assert [path.name for path in alone.iterdir()] == [file.name]


def test_the_seed_is_drawn_once_and_the_original_counts_no_more(alone: Path) -> None:
    file = written(alone, seed="")
    folder = submitted(file, 3, "-s", "simulate.t_end=1 day")
    copy = load_study(folder / "study.toml")
    assert copy.ensemble.seed is not None
    assert copy.simulate.t_end == 1.0
    assert json.loads((folder / "submission.json").read_text())["seed"] == copy.ensemble.seed
    file.unlink()
    assert load_study(folder / "study.toml").ensemble.seed == copy.ensemble.seed
    assert command("submit", folder / "study.toml", "--shards", 3, "--folder", folder)[0] == Exit.OUTPUT  # not empty


def without(found: dict[str, Any], *paths: str) -> dict[str, Any]:
    for path in paths:
        table, key = path.split(".")
        found[table].pop(key)
    return found


@pytest.mark.parametrize("kind", templates())
def test_the_copy_of_a_study_is_the_study(kind: str, tmp_path: Path) -> None:
    plan, resolved = prepare(templates()[kind])
    files = submission.files_of(plan, resolved, 1, submission.Site())
    submission.write(tmp_path / "jobs", files)
    again, same = prepare(tmp_path / "jobs" / "study.toml")
    free = ("output.file", "ensemble.seed")
    copied, asked = without(again.resolved(), *free), without(plan.resolved(), *free)
    if plan.mechanisms:  # the copy holds what they make of the model
        assert copied.pop("mechanisms") == {}
        assert copied["model"].pop("file").startswith("./model/")
        del asked["mechanisms"], copied["model"], asked["model"]
    assert copied == asked
    assert same.network.parameters == resolved.network.parameters


def test_what_a_study_names_is_copied_with_it(alone: Path) -> None:
    package = Path(study.__file__).parent
    (alone / "sub").mkdir()
    for source, target in (("models/ctc_linear.toml", "my model.toml"), ("solvers/tsit5.py", "mine.py")):
        (alone / "sub" / target).write_text((package / source).read_text(encoding="utf-8"), encoding="utf-8")
    text = written(alone).read_text(encoding="utf-8").replace('use = "ctc_linear"', 'file = "my model.toml"')
    (alone / "sub" / "base.toml").write_text(text.replace('"direct"', '"ode"'), encoding="utf-8")
    child = alone / "child.toml"
    child.write_text('extends = "sub/base.toml"\n[simulate]\nmethod = "./sub/mine.py"\n', encoding="utf-8")
    folder = submitted(child)
    for path in [*(alone / "sub").iterdir(), child]:
        path.unlink()
    plan, resolved = prepare(folder / "study.toml")
    assert (plan.model.file, plan.simulate.method) == ("./model/my model.toml", "./solver/mine.py")
    assert resolved.network.name == "ctc_linear"
    assert (folder / "solver" / "mine.py").is_file()


def test_toml_comes_back_as_it_was() -> None:
    import tomllib

    data = {
        "schema": 1,
        "text": 'quotes " and \\ and \x7f and é and \n\t',
        "a key": {"f": 1e-300, "g": 1e22, "big": 2**63 - 1, "yes": True, "inner": {"x.y": [1, "two", {"z": 3.5}]}},
        "none": {},
    }
    assert tomllib.loads(submission.toml_text(data)) == data


@pytest.mark.parametrize(
    "arguments",
    [
        ["--shards", 0],
        ["--shards", 2, "--time", "soon"],
        ["--shards", 2, "--time", "0:04:59"],
        ["--shards", 2, "--time", "2:00:00\n#SBATCH --wrap"],
        ["--shards", 2, "--memory", "much"],
        ["--shards", 2, "--partition", "a b"],
    ],
    ids=str,
)
def test_what_no_scheduler_takes_is_refused(alone: Path, arguments: list[object]) -> None:
    file = written(alone)
    assert command("submit", file, *arguments)[:2] == (int(Exit.USAGE), "")
    assert list(alone.iterdir()) == [file]


def test_more_shards_than_leaves_are_refused(alone: Path) -> None:
    code, _, err = command("submit", written(alone), "--shards", 4)
    assert code == Exit.CONFIG
    assert "C117" in err


def test_limits_are_read_as_slurm_reads_them() -> None:
    assert [seconds(text) for text in ("5", "5:30", "0:05:30", "1-1", "1-1:30", "1-1:30:15")] == [
        300, 330, 330, 90000, 91800, 91815,
    ]  # fmt: skip


# -- what the scripts do -------------------------------------------------------------------------


def test_without_a_scheduler_the_scripts_give_the_bytes_of_one_machine(alone: Path) -> None:
    file = written(alone)
    folder = submitted(file)
    for i in (2, 1, 3):
        subprocess.run(["bash", "shards.sh", str(i)], cwd=folder, check=True, capture_output=True)
    assert command("status", folder)[1].splitlines()[-1].endswith("&& bash merge.sh")
    for _ in range(2):  # a merge job that is requeued
        merged = subprocess.run(["bash", "merge.sh"], cwd=folder, check=True, capture_output=True, text=True)
        assert "ok 768" in merged.stdout
    assert command("run", file, "-o", "whole.h5", "--progress", "none")[0] == 0
    assert content_hash(folder / 'its "odd" $name `here`.h5') == content_hash(alone / "whole.h5")
    found = json.loads(command("status", folder, "--json")[1])
    assert (found["merged"], found["next"], found["total"]["done"]) == (True, None, 3)


def test_jobs_are_handed_over_each_after_the_one_before(alone: Path) -> None:
    program(alone, "sbatch", 'n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; echo "$@" >>asked; cat n')
    file = written(alone)
    code, out, _ = command("submit", file, "--shards", 3)
    assert code == 0
    assert "submitted: 1 compile, 2 array [1-3], 3 merge" in out
    folder = file.with_suffix(".jobs")
    subprocess.run(["bash", folder / "submit.sh", "2-3"], cwd=alone, check=True, capture_output=True)
    assert (folder / "asked").read_text().splitlines() == [
        "--parsable compile.sh",
        "--parsable --dependency=afterok:1 --kill-on-invalid-dep=yes shards.sh",
        "--parsable --dependency=afterok:2 --kill-on-invalid-dep=yes merge.sh",
        "--parsable --array=2-3 shards.sh",
        "--parsable --dependency=afterok:4 --kill-on-invalid-dep=yes merge.sh",
    ]
    assert (folder / "jobs").read_text().split() == ["2", "4"]


def test_what_the_scheduler_refuses_is_told(alone: Path) -> None:
    program(alone, "sbatch", 'echo "sbatch: error: invalid partition specified: gpu" >&2; exit 1')
    code, _, err = command("submit", written(alone), "--shards", 3, "--partition", "gpu")
    assert code == Exit.RESOURCES
    assert "error[R517]: sbatch does not take the jobs: sbatch: error: invalid partition specified: gpu" in err


@pytest.mark.parametrize(
    ("sent", "ends", "code", "requeued"),
    [
        (signal.SIGUSR1, 75, 75, ["requeue 7_2"]),
        (signal.SIGUSR1, 0, 0, []),  # it was done before it could stop
        (signal.SIGTERM, 75, 75, []),  # scancel: it must not come back
        (None, 4, 0, []),  # complete, with failures: the merge job judges
        (None, 6, 6, []),
    ],
)
def test_only_the_warning_before_the_limit_requeues(
    alone: Path, sent: signal.Signals | None, ends: int, code: int, requeued: list[str]
) -> None:
    folder = submitted(written(alone))
    waits = f"trap 'exit {ends}' USR1 TERM; touch ready; for i in $(seq 300); do sleep 0.1; done"
    (folder.parent.parent / "tools" / "touch").symlink_to("/usr/bin/touch")
    program(alone, "ctcdyn", waits if sent is not None else f"exit {ends}")
    program(alone, "scontrol", 'echo "$@" >>requeued')
    ids = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    with subprocess.Popen(["bash", "shards.sh"], cwd=folder, env={**os.environ, **ids}) as task:
        if sent is not None:
            assert until((folder / "ready").exists, 20)
            task.send_signal(sent)
        assert task.wait(20) == code
    log = folder / "requeued"
    assert (log.read_text().splitlines() if log.exists() else []) == requeued


@pytest.mark.parametrize(
    ("wrote", "live", "taken"), [("9", "", True), ("7", "7", True), ("8", "7\n8", False), ("8", "7", True)]
)
def test_the_lock_of_a_job_that_has_ended_is_removed(alone: Path, wrote: str, live: str, taken: bool) -> None:
    folder = submitted(written(alone))
    (folder / "shard-2.h5.parts").mkdir()
    lock = folder / "shard-2.h5.parts" / "lock"
    lock.write_text('{"host": "another", "pid": 1}', encoding="utf-8")
    (folder / "shard-2.h5.job").write_text(f"{wrote}\n", encoding="utf-8")
    program(alone, "ctcdyn", "exit 0")
    program(alone, "squeue", f"echo '{live}'")
    ids = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["bash", "shards.sh"], cwd=folder, env={**os.environ, **ids}, check=True)
    assert lock.exists() is not taken
    assert (folder / "shard-2.h5.job").read_text() == "7\n"


# -- status --------------------------------------------------------------------------------------


def test_status_tells_what_is_there(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = submitted(written(alone, patients=384), 6)
    monkeypatch.chdir(folder)
    for i in (1, 6):
        assert command("run", "study.toml", "--shard", f"{i}/6", "-o", f"shard-{i}.h5", "--progress", "none")[0] == 0
    Path("shard-6.h5").rename("shard-5.h5")  # whole, but not this one
    Path("shard-2.h5").write_bytes(b"no HDF5")

    def first_only(*arguments: Any) -> Iterator[Any]:
        yield next(iter(real(*arguments)))
        raise KeyboardInterrupt

    real = study.local.execute
    with monkeypatch.context() as patch:
        patch.setattr(study.local, "execute", first_only)
        code, _, _ = command("run", "study.toml", "-o", "shard-3.h5", "--progress", "none")
        assert code == Exit.KILLED
    Path("shard-4.h5.parts").mkdir()
    lock = Lock(Path("shard-4.h5.parts"))
    found = submission.status(Path())
    lock.release()
    assert [item["state"] for item in found["shards"]] == [
        "done",
        "damaged",
        "unfinished",
        "running",
        "damaged",
        "not begun",
    ]
    assert 0 < found["shards"][2]["committed"] <= 1536
    assert "is not this shard" in found["shards"][4]["note"]
    aside = "mv shard-2.h5 shard-2.h5.damaged && mv shard-5.h5 shard-5.h5.damaged && "
    assert found["next"] == f"cd . && {aside}bash submit.sh 2-3,5-6"
    code, out, _ = command("status", ".")
    assert code == 0
    words = [line.split()[2] for line in out.splitlines()[:6]]
    assert words == ["done", "damaged", "unfinished", "not", "damaged", "not"]
    assert "1 done" in out


def test_status_believes_the_scheduler_about_what_waits(alone: Path) -> None:
    folder = submitted(written(alone))
    (folder / "jobs").write_text("12\n", encoding="utf-8")
    program(alone, "squeue", "printf '12 1 PENDING\\n12 2 RUNNING\\n13 3 RUNNING\\n12 N/A PENDING\\n'")
    found = submission.status(folder)
    assert [item["state"] for item in found["shards"]] == ["waiting", "running", "not begun"]
    assert found["next"].endswith("&& bash submit.sh 3")
    program(alone, "squeue", "exit 1")
    assert [item["state"] for item in submission.status(folder)["shards"]] == ["not begun"] * 3


@pytest.mark.parametrize("text", [None, "{}", "no json", '{"parts": [], "shards": 0}', "[1]"])
def test_a_folder_of_something_else_is_no_submission(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "submission.json").write_text(text, encoding="utf-8")
    code, out, err = command("status", tmp_path)
    assert (code, out) == (int(Exit.OUTPUT), "")
    assert "R518" in err
