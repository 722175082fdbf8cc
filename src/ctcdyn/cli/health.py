"""Commands for the state of an installation: its environment, and whether its answers are right."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "scipy",
    "h5py",
    "pydantic",
    "matplotlib",
    "xarray",
    "h5netcdf",
    "dask",
    "distributed",
)
FEATURES = {"avx512f": 8, "avx2": 4, "avx": 4, "sse2": 2, "sve": 2, "neon": 2}  # doubles in a vector; SVE: at least
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "9p", "afs")


def doctor() -> None:
    """Show the environment; paste its output into a report."""
    rows = list(_environment())
    width = max(len(name) for name, _ in rows)
    for name, found in rows:
        print(f"{name:{width}}  {found}")


def _environment() -> Iterator[tuple[str, str]]:
    import h5py
    from llvmlite import binding

    from ctcdyn import __version__
    from ctcdyn.execute.local import usable_threads
    from ctcdyn.interruption import SIGNALS

    yield "ctcdyn", __version__
    yield "python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "platform", platform.platform()
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"
    yield "HDF5", h5py.version.hdf5_version
    features = binding.get_host_cpu_features()
    found = [name for name in FEATURES if features.get(name)]
    vectors = f"vectors of {FEATURES[found[0]]} doubles" if found else "no vector unit that ctcdyn knows"
    yield "cpu", f"{binding.get_host_cpu_name()} ({platform.machine()}): {vectors} ({' '.join(found)})"
    yield "threads", f"{usable_threads()} unless told otherwise; the machine has {os.cpu_count()} cores"
    yield "memory", _memory()
    for name in ("SLURM_CPUS_PER_TASK", "NUMBA_CPU_NAME", "NUMBA_DISABLE_JIT", "HDF5_USE_FILE_LOCKING"):
        yield name, os.environ.get(name, "not set")
    yield "signals", " ".join(name for name in SIGNALS if hasattr(signal, name)) + ": a run commits and ends with 75"
    yield "processes", f"{', '.join(multiprocessing.get_all_start_methods())}; ctcdyn starts new interpreters"
    yield "SLURM", _slurm()
    yield from _folders()


def _memory() -> str:
    from ctcdyn.estimation import machine_memory, size_text

    found = machine_memory()
    return "not known" if found is None else size_text(found)


def _slurm() -> str:
    if shutil.which("sbatch") is None:
        return "sbatch is not in PATH"
    try:
        done = subprocess.run(["sbatch", "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "sbatch does not answer"
    said = (done.stdout.strip() or done.stderr.strip() or "sbatch does not answer").splitlines()[0]
    job = os.environ.get("SLURM_JOB_ID")
    return f"{said}, {f'job {job}' if job else 'this is no job'}"


def _folders() -> Iterator[tuple[str, str]]:
    from ctcdyn.codegen.cache import cache_folder

    cache = cache_folder()
    state = "writable" if is_writable(cache) else "NOT writable: kernels compile each time"
    yield "kernel cache", f"{cache} ({state})"
    try:
        here = Path.cwd()
    except OSError:
        yield "this folder", "does not exist any more"
        return
    free = shutil.disk_usage(here).free / 1e9
    yield "this folder", f"{free:.1f} GB free, {'writable' if is_writable(here) else 'NOT writable'}"
    kind = file_system(here)
    network = ": a network file system, see docs/platforms.md" if kind in NETWORK else ""
    yield "file system", f"{kind or 'not known'}{network}"
    tried = [f"{'' if able else 'NO '}{what}" for what, able in abilities(here).items()]
    yield "it can", ", ".join(tried) or "not be tried"


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, as Linux names it; empty where the system does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kinds = {}
    for line in lines:
        mount, _, source = line.partition(" - ")
        place = mount.split()[4].encode().decode("unicode_escape")  # a blank is \\040
        kinds[place] = source.split()[0]
    above = [str(path) for path in (folder, *folder.parents) if str(path) in kinds]
    return kinds[above[0]] if above else ""


def abilities(folder: Path) -> dict[str, bool]:
    """What the file system of a folder can that a run uses, each tried; empty where nothing can be written."""
    tried: dict[str, bool] = {}
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=folder) as scratch:
        file = Path(scratch) / "a"
        other = file.with_name("b")
        file.write_bytes(b"ctcdyn")
        other.write_bytes(b"ctcdyn")

        def flock(handle: int) -> None:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

        tries: dict[str, Callable[[int], object]] = {
            "hard links": lambda _: os.link(file, file.with_name("link")),
            "renaming over a file": lambda _: other.replace(file),
            "flock": flock,
            "syncing a file": os.fsync,
            "syncing a folder": lambda _: _sync(Path(scratch)),
        }
        for what, attempt in tries.items():
            handle = os.open(file, os.O_RDWR)
            try:
                attempt(handle)
                tried[what] = True
            except (OSError, ImportError, AttributeError):
                tried[what] = False
            finally:
                os.close(handle)
    return tried


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or in the nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def selftest(
    published: Annotated[
        bool, typer.Option("--published", help="Published figures beside what ctcdyn computes, a minute.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PAGE.md", help="With --published: the page.", show_default=False),
    ] = None,
) -> None:
    """Compare the solvers with exact answers; takes seconds."""
    if output is not None and not published:
        raise typer.BadParameter("only --published makes a page", param_hint="--output")
    if published:
        from ctcdyn.cli.published import selftest_published

        selftest_published(output)
        return
    from ctcdyn.cli.exact import checks
    from ctcdyn.errors import CtcError, Exit, Problem

    failed = []
    for check in checks():
        verdict = "ok" if check.passed else "FAILED"
        numbers = f"found {check.found:<12.7g} exact {check.exact:<12.7g} {check.distance}"
        print(f"{verdict:6}  {check.what:52} {numbers}")
        sys.stdout.flush()
        if not check.passed:
            failed.append(check.what)
    if failed:
        problem = Problem(
            "B901",
            f"{len(failed)} self-tests failed: {', '.join(failed)}",
            fix="do not trust results of this installation; report this with the output of `ctcdyn doctor`",
        )
        raise CtcError(problem, exit=Exit.NO)
    print("all answers are right")
