"""The command line: what each command prints and where, and the exit code it ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from commands import command, small_study
from ctcdyn import __version__
from ctcdyn.cli import app, health
from ctcdyn.cli.studies import templates
from ctcdyn.errors import CtcError, Exit, Problem

# What design.md fixed, as far as this version goes: an option that does nothing may not exist.
OPTIONS = {
    "run": {"--output", "--set", "--threads", "--seed", "--keep", "--overwrite", "--resume", "--shard", "--progress",
            "--executor", "--scheduler"},
    "check": {"--set", "--explain"},
    "estimate": {"--set", "--threads", "--shard", "--json"},
    "init": {"--output", "--schema"},
    "models": {"--source", "--composed"},
    "mechanisms": {"--source"},
    "codegen": {"--set", "--part", "--vectors", "--path"},
    "inspect": {"--json", "--failures", "--points", "--sensitivity"},
    "verify": {"--json"},
    "merge": {"--copy", "--overwrite"},
    "replay": {"--trajectory", "--dense", "--output"},
    "compare": {"--json"},
    "plot": {"--kind", "--species", "--by", "--output", "--overwrite"},
    "report": {"--output", "--overwrite"},
    "submit": {"--shards", "--folder", "--set", "--time", "--cpus", "--memory", "--partition", "--print"},
    "status": {"--json"},
    "doctor": set(),
    "selftest": {"--published", "--output"},
    "bench": {"--save", "--compare", "--against", "--fail-above", "--facts", "--overwrite"},
}


@pytest.fixture
def study_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An empty `ctcdyn.study`, for tests of what surrounds a run."""
    import ctcdyn

    module = ModuleType("ctcdyn.study")
    monkeypatch.setitem(sys.modules, "ctcdyn.study", module)
    monkeypatch.setattr(ctcdyn, "study", module, raising=False)
    return module


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    return small_study(tmp_path)


# -- help and usage ------------------------------------------------------------------------------


def test_help_lists_every_command_with_one_line() -> None:
    code, out, err = command("--help")
    assert (code, err) == (0, "")
    listed = out[out.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in listed] == list(OPTIONS)
    assert all(len(line.split()) >= 4 and len(line) < 80 for line in listed)


def test_options_are_the_ones_that_do_something() -> None:
    group = typer.main.get_command(app)
    found = {
        name: {
            option
            for item in one.params
            for option in item.opts
            if option.startswith("--") and option != "--help"
        }
        for name, one in group.commands.items()  # type: ignore[attr-defined]
    }
    assert found == OPTIONS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_command_explains_itself(name: str) -> None:
    code, out, _ = command(name, "-h")
    assert code == 0
    assert all(option in out for option in OPTIONS[name])


def test_version() -> None:
    assert command("--version") == (0, f"ctcdyn {__version__}\n", "")
    module = [sys.executable, "-m", "ctcdyn", "--version"]
    assert subprocess.run(module, capture_output=True, text=True, check=True).stdout == f"ctcdyn {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["run"],
        ["run", "x.toml", "--resumed"],
        ["run", "x.toml", "--threads", "0"],
        ["run", "x.toml", "--seed", "-1"],
        ["run", "x.toml", "--keep", "some"],
        ["run", "x.toml", "--keep", "-3"],
        ["run", "x.toml", "--progress", "loud"],
        ["run", "x.toml", "--executor", "ray"],
        ["run", "x.toml", "--scheduler", "tcp://127.0.0.1:8786"],
        ["init", "no_such_kind"],
    ],
    ids=" ".join,
)
def test_a_bad_command_line_is_exit_2_on_stderr(arguments: list[str]) -> None:
    code, out, err = command(*arguments)
    assert code == Exit.USAGE
    assert out == ""
    assert "Usage: ctcdyn" in err


# -- exit codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [Exit.CONFIG, Exit.RESOURCES, Exit.OUTPUT, Exit.BUG])
def test_an_error_ends_with_its_own_code(study_module: ModuleType, study_file: Path, code: Exit) -> None:
    def run(*_: object, **__: object) -> None:
        raise CtcError(Problem("R503", "no luck", fix="try again"), exit=code)

    study_module.run = run  # type: ignore[attr-defined]
    assert command("run", study_file, "--progress", "none") == (
        int(code),
        "",
        "error[R503]: no luck\n   help: try again\n",
    )


def test_what_nobody_foresaw_is_called_a_bug(study_module: ModuleType, study_file: Path) -> None:
    def run(*_: object, **__: object) -> None:
        raise ZeroDivisionError("lost")

    study_module.run = run  # type: ignore[attr-defined]
    code, out, err = command("run", study_file)
    assert (code, out) == (int(Exit.BUG), "")
    assert "This is a bug of ctcdyn" in err
    assert "ctcdyn doctor" in err
    assert "ZeroDivisionError: lost" in err


def test_an_interrupt_is_130(study_module: ModuleType, study_file: Path) -> None:
    def run(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    study_module.run = run  # type: ignore[attr-defined]
    code, out, err = command("run", study_file)
    assert (code, out) == (int(Exit.KILLED), "")
    assert "interrupted" in err
    assert "Traceback" not in err


def test_options_of_run_reach_the_study(study_module: ModuleType, study_file: Path, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def run(plan: Any, *, threads: int | None, overwrite: bool, resume: bool, progress: object, **_: Any) -> None:
        seen.update(plan=plan, threads=threads, overwrite=overwrite, resume=resume)
        seen.update(progress=type(progress).__name__)
        raise CtcError(Problem("R503", "seen enough"), exit=Exit.OUTPUT)

    study_module.run = run  # type: ignore[attr-defined]
    target = tmp_path / 'with "quotes" and spaces.h5'
    arguments = ["--threads", 3, "--seed", 7, "--keep", "all", "--overwrite", "--resume", "--progress", "json"]
    code, _, _ = command("run", study_file, "-o", target, "-s", "simulate.t_end=2 days", *arguments)
    assert code == Exit.OUTPUT
    plan = seen.pop("plan")
    assert seen == {"threads": 3, "overwrite": True, "resume": True, "progress": "JsonLines"}
    assert (plan.output.file, plan.output.keep) == (str(target), "all")
    assert (plan.ensemble.seed, plan.simulate.t_end) == (7, 2.0)


def test_all_mistakes_of_a_study_come_at_once_with_their_lines(study_file: Path) -> None:
    text = study_file.read_text(encoding="utf-8")
    text = text.replace("birth =", "brith =").replace('"20 days"', '"20 kg"')
    study_file.write_text(text, encoding="utf-8")
    code, out, err = command("run", study_file)
    assert (code, out) == (int(Exit.CONFIG), "")
    lines = text.splitlines()
    for word in ("brith", "20 kg"):
        line = next(number for number, line in enumerate(lines, 1) if word in line)
        assert f"small.toml:{line}" in err
    assert 'did you mean "birth"?' in err
    assert not study_file.with_suffix(".h5").exists()


# -- init, models, check -------------------------------------------------------------------------


def test_init_lists_prints_and_writes_templates(tmp_path: Path) -> None:
    code, out, _ = command("init")
    assert code == 0
    assert {"ode", "direct", "population"} <= {line.split()[0] for line in out.splitlines()}
    code, text, _ = command("init", "direct")
    assert text == templates()["direct"].read_text(encoding="utf-8")
    target = tmp_path / "mine.toml"
    code, out, err = command("init", "direct", "-o", target)
    assert (code, out) == (0, "")
    assert target.read_text(encoding="utf-8") == text.replace('file = "direct.h5"', 'file = "mine.h5"')
    assert "ctcdyn check" in err
    code, _, err = command("init", "direct", "-o", target)
    assert code == Exit.OUTPUT
    assert "exists" in err
    code, _, err = command("init", "direct", "-o", tmp_path / "no" / "folder.toml")
    assert code == Exit.OUTPUT
    assert "cannot write" in err


def test_init_prints_the_schema_of_a_study() -> None:
    code, out, _ = command("init", "--schema")
    assert code == 0
    assert {"model", "simulate", "ensemble", "output"} <= set(json.loads(out)["properties"])


@pytest.mark.parametrize("kind", templates())
def test_every_template_and_shipped_study_is_right(kind: str) -> None:
    code, out, err = command("check", templates()[kind])
    assert (code, err) == (0, "")
    assert out.startswith("ok  study ")


def test_models_are_listed_and_shown_with_their_sources() -> None:
    code, out, _ = command("models")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names == sorted(names)
    assert {"birth_death_immigration", "ctc_linear", "experimental_metastasis"} <= set(names)
    for name in names:
        code, text, _ = command("models", name)
        assert code == 0
        assert "source" in text
    code, text, _ = command("models", "ctc_linear", "--source")
    assert 'name = "ctc_linear"' in text
    code, _, err = command("models", "ctc_liner")
    assert code == Exit.CONFIG
    assert 'did you mean "ctc_linear"?' in err


def test_check_tells_a_model_from_a_study(study_file: Path) -> None:
    model = next((Path(sys.modules["ctcdyn"].__file__ or "").parent / "models").glob("ctc_linear.toml"))
    code, out, _ = command("check", model)
    assert code == 0
    assert out.startswith("ok  model ctc_linear (4 species, 10 reactions")
    code, out, _ = command("check", study_file, "-s", "simulate.method=ode")
    assert code == 0
    assert "40 trajectories" in out
    assert "method ode" in out
    assert command("check", model, "-s", "a=1")[0] == Exit.USAGE


@pytest.mark.parametrize("kind", templates())
def test_a_study_of_ones_own_has_a_result_of_its_own(kind: str, tmp_path: Path) -> None:
    from ctcdyn.config import load_study

    target = tmp_path / "mine.toml"
    assert command("init", kind, "-o", target)[0] == 0
    assert load_study(target).output.file == "mine.h5"


def test_check_says_when_all_trajectories_are_the_same(study_file: Path) -> None:
    assert "are the same" not in command("check", study_file)[1]
    assert "note: all 40 trajectories are the same" in command("check", study_file, "-s", "simulate.method=ode")[1]
    single = ["-s", "simulate.method=ode", "-s", "ensemble.trajectories=1"]
    assert "are the same" not in command("check", study_file, *single)[1]
    drawn = templates()["population"]
    assert "are the same" not in command("check", drawn)[1]


def test_what_an_option_sets_is_reported_as_that_option(study_file: Path) -> None:
    code, _, err = command("run", study_file, "-o", "out.csv", "-s", "ensemble.seed=-1")
    assert code == Exit.CONFIG
    assert "--> --output: output.file\n   | out.csv\n" in err
    assert "--> --set: ensemble.seed\n" in err


def test_a_model_is_no_study(tmp_path: Path) -> None:
    model = Path(sys.modules["ctcdyn"].__file__ or "").parent / "models" / "ctc_linear.toml"
    code, _, err = command("run", model, "-o", tmp_path / "out.h5")
    assert code == Exit.CONFIG
    assert err.count("error[") == 1
    assert "ctcdyn check" in err


def test_check_explains_numbers_laws_and_the_solver(study_file: Path) -> None:
    code, out, _ = command("check", study_file, "--explain", "-s", "parameters.death=0.7 /day")
    assert code == 0
    death = next(line for line in out.splitlines() if line.startswith("death"))
    assert death.split()[1:3] == ["0.7", "1/d"]
    assert "assumed:" in death
    assert "conserved:  nothing" in out
    assert "solver:     direct" in out
    code, out, _ = command("check", templates()["population"], "--explain")
    assert "lognormal" in out


LIGHT = (
    "check --explain",
    "codegen",  # printing a kernel compiles nothing
    "models ctc_five",
    "models",
    "mechanisms",
    "init direct",
    "init --schema",
    "run --help",
    "--version",
)


@pytest.mark.parametrize("line", LIGHT)
def test_a_command_imports_what_it_needs_and_no_more(line: str, study_file: Path) -> None:
    name, *rest = line.split()
    given = [name, *([str(study_file)] if name in ("check", "codegen") else []), *rest]
    text = (
        f"import sys\nfrom ctcdyn.cli import app\ntry:\n    app({given!r})\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = ('numba', 'llvmlite', 'scipy.stats', 'h5py', 'sympy', 'pint', 'matplotlib')\n"
        "print('heavy:', *[name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_a_reader_who_has_enough_is_no_error() -> None:
    start = f'{sys.executable} -c "from ctcdyn.cli import main; main()"'
    line = f"{start} init --schema | head -1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


# -- doctor, selftest ----------------------------------------------------------------------------


def test_doctor_shows_the_environment() -> None:
    code, out, err = command("doctor")
    assert (code, err) == (0, "")
    shown = {line.split("  ")[0] for line in out.splitlines()}
    assert {"ctcdyn", "python", "numba", "HDF5", "cpu", "threads", "kernel cache", "this folder"} <= shown
    assert {"memory", "signals", "processes", "SLURM", "file system", "it can", "dask"} <= shown


def test_what_a_file_system_can_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The type is that of `stat -f`, and what fails is said to fail; nothing is left behind."""
    names = {"ext2/ext3": ("ext2", "ext3", "ext4"), "overlayfs": ("overlay",)}
    told = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True).stdout
    assert health.file_system(tmp_path) in names.get(told.strip(), (told.strip(),))
    assert health.file_system(Path("/proc")) == "proc"
    assert all(health.abilities(tmp_path).values())

    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "fsync", refuse)
    found = health.abilities(tmp_path)
    assert [what for what, able in found.items() if not able] == ["hard links", "syncing a file", "syncing a folder"]
    assert list(tmp_path.iterdir()) == []
    assert health.abilities(tmp_path / "none") == {}


def test_doctor_answers_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = "import os, sys\nfrom ctcdyn.cli import app\nos.rmdir(os.getcwd())\napp(['doctor'])"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "this folder  " in done.stdout
    assert "does not exist any more" in done.stdout


def test_selftest_says_ok_for_right_answers_and_no_for_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from ctcdyn.cli import exact

    right = exact.Check("a mean", 10.1, 10.0, 0.05, exact.Z_ALLOWED, "z")
    assert right.passed
    monkeypatch.setattr(exact, "checks", lambda: iter([right]))
    code, out, _ = command("selftest")
    assert code == 0
    assert "all answers are right" in out
    wrong = exact.Check("a variance", 12.0, 10.0, 0.05, exact.Z_ALLOWED, "z")
    lost = exact.Check("a lost one", float("nan"), 10.0, 0.05, exact.Z_ALLOWED, "z")
    monkeypatch.setattr(exact, "checks", lambda: iter([right, wrong, lost]))
    code, out, err = command("selftest")
    assert code == Exit.NO
    assert out.count("FAILED") == 2
    assert "a variance" in err
    assert "a lost one" in err
