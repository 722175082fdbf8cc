"""A study as jobs of a cluster: a folder with a copy of the study that nothing changes any more, and bash scripts.

    compile.sh   compiles the kernel once          shards.sh   one shard, as a task of a job array
    merge.sh     one result of all shards          submit.sh   hands the three to SLURM, each after the one before

The scripts name everything relative to their folder, so it can be moved, and take the number of the shard from SLURM,
PBS, LSF or their first argument. What became of the shards is read from the files alone; the scheduler is only asked
whether something is still waiting or running.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from ctcdyn import __version__, plugins
from ctcdyn.config import Study
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.model.resolve import Resolved
from ctcdyn.places import toml_key, toml_value
from ctcdyn.store.layout import LEAF
from ctcdyn.store.lock import holder, is_dead
from ctcdyn.store.merging import ranges
from ctcdyn.store.reader import FileArrays
from ctcdyn.store.verification import unfinished

SCRIPTS = ("compile.sh", "shards.sh", "merge.sh", "submit.sh")
STUDY = "study.toml"
ABOUT = "submission.json"
JOBS = "jobs"  # ids of the arrays that submit.sh handed over, one a line
_TEMPLATES = Path(__file__).parent / "templates" / "cluster"
STATES = ("done", "running", "waiting", "unfinished", "not begun", "damaged")
_TO_SUBMIT = ("unfinished", "not begun", "damaged")


@dataclass(frozen=True)
class Site:
    """What each job asks for, in SLURM's own words; None: what the site gives by itself."""

    time: str = "2:00:00"
    cpus: int = 1
    memory: str | None = None
    partition: str | None = None

    def lines(self) -> str:
        """The #SBATCH lines that all jobs share."""
        asked = {"mem": self.memory, "partition": self.partition}
        return "\n".join(f"#SBATCH --{name}={value}" for name, value in asked.items() if value is not None)


@dataclass(frozen=True)
class ShardState:
    """What is known of one shard: one of STATES, and how many of its trajectories are on disk."""

    shard: int
    state: str
    committed: int
    count: int
    note: str = ""


def few(study: Study) -> int:
    """How many shards a study has that does not say: 10, or as many as it has leaves."""
    return min(10, -(-study.count // LEAF))


def files_of(study: Study, resolved: Resolved, shards: int, site: Site) -> dict[str, str]:
    """All files of a submission by their name in its folder: the study resolved, with a seed, and the scripts.

    Raises CtcError (C117) where the study has fewer leaves than shards.
    """
    from ctcdyn.preparation import ensemble_of, part_of

    ensemble = ensemble_of(study, resolved)
    part_of(ensemble, (shards, shards))
    data, copies = _settled(study, ensemble.seed, resolved)
    result = str(data["output"]["file"])
    about = {
        "study": PurePath(study.path).name,
        "shards": shards,
        "result": result,
        "seed": ensemble.seed,
        "parts": [part_of(ensemble, (i, shards)) for i in range(1, shards + 1)],
        "ctcdyn_version": __version__,
    }
    drawn = "" if study.ensemble.seed is not None else "; its seed was drawn then"
    head = f"# {about['study']!r} as it was submitted (ctcdyn {__version__}){drawn}; changes of it count no more\n"
    values = {
        "name": re.sub(r"[^\w.-]", "_", PurePath(study.path).stem, flags=re.ASCII),
        "shards": str(shards),
        "time": site.time,
        "cpus": str(site.cpus),
        "result": shlex.quote(result),
        "site": site.lines(),
    }
    found = {STUDY: head + toml_text(data), **copies, ABOUT: json.dumps(about, indent=2) + "\n"}
    return found | {name: _script(name, values) for name in SCRIPTS}


def write(folder: Path, files: dict[str, str]) -> None:
    """Write a submission into a folder that is not there or empty. Raises CtcError (exit 6): R502, R503."""
    try:
        if folder.exists() and any(folder.iterdir()):
            named = shlex.quote(str(folder))
            fix = f"name another with --folder; ctcdyn status {named} shows how far that one is"
            raise CtcError(Problem("R502", f"{folder} is not empty", fix=fix), Exit.OUTPUT)
        for name, text in {**files, "logs/": ""}.items():
            path = folder / name
            if name.endswith("/"):
                path.mkdir(parents=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if path.suffix == ".sh":
                path.chmod(0o755)
    except OSError as error:
        what = f"cannot write {folder}: {error.strerror}"
        raise CtcError(Problem("R503", what, fix="name another place with --folder"), Exit.OUTPUT) from None


def submit(folder: Path, shards: int) -> str:
    """Hand the jobs of a folder to SLURM; what it answered. Raises CtcError (exit 5, R517); the scripts stay."""
    named = shlex.quote(str(folder))
    fix = (
        f"the scripts are in {folder}; without a scheduler: cd {named} && for i in $(seq {shards}); do bash shards.sh "
        f"$i; done; bash merge.sh  (or: parallel -j 4 bash shards.sh ::: $(seq {shards}) && bash merge.sh)"
    )
    if shutil.which("sbatch") is None:
        raise CtcError(Problem("R517", "sbatch is not in PATH: there is no SLURM here", fix=fix), Exit.RESOURCES)
    # jobs get this environment, and find this ctcdyn in it
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    done = subprocess.run(
        ["bash", "submit.sh"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:500] or f"exit code {done.returncode}"
        fix = f"change the #SBATCH lines in {folder} or what was asked for, then: cd {named} && bash submit.sh"
        raise CtcError(Problem("R517", f"sbatch does not take the jobs: {said}", fix=fix), Exit.RESOURCES)
    return done.stdout.strip()


def status(folder: Path) -> dict[str, Any]:
    """What became of a submission, as plain data. Raises CtcError (exit 6, R518) where there is none."""
    about = _about(folder)
    queue = _queue(folder)
    shards = [_state(folder, i, part, about, queue) for i, part in enumerate(about["parts"], 1)]
    total = {state: sum(item.state == state for item in shards) for state in STATES}
    missing = [item.shard for item in shards if item.state in _TO_SUBMIT]
    merged = (folder / about["result"]).is_file()
    return {
        "folder": str(folder),
        "study": about["study"],
        "result": about["result"],
        "merged": merged,
        "shards": [asdict(item) for item in shards],
        "total": total,
        "committed": sum(item.committed for item in shards),
        "count": sum(item.count for item in shards),
        "next": None if merged else _next(folder, shards, missing),
    }


def status_text(found: dict[str, Any]) -> str:
    """The form of `status` for people."""
    width = len(str(len(found["shards"])))
    lines = [
        f"shard {item['shard']:{width}}  {item['state']:10}  {_share(item['committed'], item['count']):>7}"
        + (f"  {item['note']}" if item["note"] else "")
        for item in found["shards"]
    ]
    states = " · ".join(f"{number} {state}" for state, number in found["total"].items() if number)
    lines.append(f"total  {states}: {found['committed']} of {found['count']} trajectories are on disk")
    if found["merged"]:
        lines.append(f"merged {Path(found['folder']) / found['result']}")
    elif found["next"]:
        lines.append(f"next   {found['next']}")
    return "\n".join(lines)


def toml_text(data: dict[str, Any]) -> str:
    """TOML of nested tables, lists, texts and numbers: read again it is the same data."""
    lines: list[str] = []
    _tables(data, (), lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _settled(study: Study, seed: int, resolved: Resolved) -> tuple[dict[str, Any], dict[str, str]]:
    """The study's data without anything that could change, and the files of the user's that it names."""
    data: dict[str, Any] = json.loads(json.dumps(study.document.data))
    copies: dict[str, str] = {}

    def copied(path: Path, kind: str) -> str:
        copies[name := f"{kind}/{path.name}"] = path.read_text(encoding="utf-8")
        return f"./{name}"

    model = plugins.find("model", study.model.location)
    if resolved.network.notes:  # composed: its text is a model by itself, wherever its mechanisms are
        data.pop("mechanisms", None)
        copies[name := f"model/{resolved.network.name}.toml"] = resolved.network.source_text
        data["model"] = {"file": f"./{name}"}
    elif study.model.file is not None or not plugins.is_built_in(model):
        data["model"] = {"file": copied(model, "model")}
    method = study.simulate.method
    if plugins.is_path("solver", method):
        data["simulate"]["method"] = copied(plugins.find("solver", method, Path(study.path).parent), "solver")
    data["ensemble"] = {**data.get("ensemble", {}), "seed": seed}
    data["output"] = {**data.get("output", {}), "file": PurePath(study.output.file).name}
    return data, copies


def _script(name: str, values: dict[str, str]) -> str:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    if not values["site"]:
        text = text.replace("@site@\n", "")
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], text)


def _tables(data: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    for key, value in data.items():
        if not isinstance(value, dict):
            lines.append(f"{toml_key(key)} = {toml_value(value)}")
    for key, value in data.items():
        if isinstance(value, dict):
            here = (*path, key)
            lines.append(f"\n[{'.'.join(map(toml_key, here))}]")
            _tables(value, here, lines)


def _about(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        assert len(found["parts"]) == found["shards"] > 0
        found["parts"] = [(int(first), int(count)) for first, count in found["parts"]]
        return found | {name: str(found[name]) for name in ("study", "result")} | {"seed": int(found["seed"])}
    except (AssertionError, OSError, ValueError, LookupError, TypeError):
        what = f"{folder} holds no submission: {ABOUT} is missing or cannot be read"
        fix = "name the folder that ctcdyn submit wrote"
        raise CtcError(Problem("R518", what, fix=fix), Exit.OUTPUT) from None


def _state(
    folder: Path, shard: int, part: tuple[int, int], about: dict[str, Any], queue: dict[int, str] | None
) -> ShardState:
    path, count = folder / f"shard-{shard}.h5", part[1]
    try:
        if path.exists():
            return _finished(path, shard, part, about["seed"])
        found = unfinished(path, check=False) if (folder / f"{path.name}.parts" / "manifest.jsonl").exists() else None
        rows, damaged = (found.rows, found.damaged) if found is not None else (0, ())
    except CtcError as error:
        return ShardState(shard, "damaged", 0, count, error.problems[0].what)
    held = holder(path.with_name(f"{path.name}.parts"))
    if held is not None and not is_dead(held) and (queue is None or queue.get(shard) == "RUNNING"):
        return ShardState(shard, "running", rows, count, f"process {held.get('pid')} on {held.get('host')}")
    if queue is not None and shard in queue:
        state = "running" if queue[shard] in ("RUNNING", "COMPLETING") else "waiting"
        return ShardState(shard, state, rows, count, f"the scheduler says {queue[shard]}")
    if damaged:
        return ShardState(shard, "damaged", rows, count, f"{', '.join(damaged)}: computed again when it goes on")
    return ShardState(shard, "unfinished" if found is not None else "not begun", rows, count)


def _finished(path: Path, shard: int, part: tuple[int, int], seed: int) -> ShardState:
    arrays = FileArrays(path)
    try:
        schema = arrays.schema()
        missing = int((arrays["status"] == 255).sum())
    finally:
        arrays.close()
    if (schema.first, schema.count) != part or schema.provenance.get("seed") != seed:
        return ShardState(shard, "damaged", 0, part[1], f"{path.name} is not this shard of this study")
    if missing:
        return ShardState(shard, "damaged", part[1] - missing, part[1], f"{missing} trajectories were never run")
    return ShardState(shard, "done", part[1], part[1])


def _queue(folder: Path) -> dict[int, str] | None:
    """What the scheduler says of the shards that it still has; None where nothing was submitted or it does not say."""
    try:
        arrays = set((folder / JOBS).read_text(encoding="utf-8").split())
    except OSError:
        return None
    if not arrays or shutil.which("squeue") is None:
        return None
    line = ["squeue", "-h", "-r", "-u", str(os.getuid()), "-o", "%F %K %T"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    rows = [row.split() for row in done.stdout.splitlines()]
    return {int(row[1]): row[2] for row in rows if len(row) == 3 and row[0] in arrays and row[1].isdecimal()}


def _next(folder: Path, shards: list[ShardState], missing: list[int]) -> str | None:
    """The command that submits what is missing, or merges; None while the scheduler has what is left."""
    begin = f"cd {shlex.quote(str(folder))} && "
    if not missing:
        return begin + "bash merge.sh" if all(item.state == "done" for item in shards) else None
    for item in shards:  # what cannot be gone on with is set aside
        for name in (f"shard-{item.shard}.h5", f"shard-{item.shard}.h5.parts"):
            if item.state == "damaged" and not item.committed and (folder / name).exists():
                begin += f"mv {name} {name}.damaged && "
    return begin + f"bash submit.sh {ranges(missing)}"


def _share(done: int, count: int) -> str:
    return f"{100 * done / count:.1f} %" if done < count else "100 %"
