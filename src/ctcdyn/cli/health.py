"""Commands for the state of an installation: its environment, and whether its answers are right."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "scipy",
    "h5py",
    "pint",
    "pydantic",
    "matplotlib",
    "xarray",
)
FEATURES = ("avx512f", "avx2", "fma", "sve", "neon")


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
    yield (
        "cpu",
        f"{binding.get_host_cpu_name()}: "
        + (" ".join(name for name in FEATURES if features.get(name)) or "no vector unit that ctcdyn knows"),
    )
    yield "threads", f"{usable_threads()} unless told otherwise; the machine has {os.cpu_count()} cores"
    for name in ("SLURM_CPUS_PER_TASK", "NUMBA_DISABLE_JIT", "HDF5_USE_FILE_LOCKING"):
        yield name, os.environ.get(name, "not set")
    yield from _folders()


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


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or in the nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def selftest() -> None:
    """Compare the solvers with exact answers; takes seconds."""
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
