"""Compiled kernels on disk: one folder for each module text, found by its hash, made whole or not at all.

A kernel is compiled in a folder of its own with a name no other process uses, and renamed into place when the module,
numba's files and their sha256 are all there. Two processes that compile the same kernel at once both succeed, and the
second finds the first one's folder. What is damaged is told, thrown away and compiled again; where nothing can be
written, kernels live in a temporary folder for as long as the process does. Folders are named after the CPU, so nodes
with different CPUs can share a home. The folder is the user's own: machine code is never read from another's.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

MODULE = "kernel.py"
SUMS = "sha256.json"
UNROLL = 8  # loops longer than this are not unrolled in full: lane loops stay loops, and LLVM packs them

_lock = threading.Lock()
_loaded: dict[str, ModuleType] = {}
_prepared = False


class CacheWarning(UserWarning):
    """The cache of compiled kernels is not what it should be; results do not depend on it."""


def cache_folder() -> Path:
    """Where compiled kernels of this CPU are kept: $CTCDYN_CACHE, or ctcdyn under the user's cache folder."""
    import llvmlite.binding as llvm

    root = os.environ.get("CTCDYN_CACHE")
    if root is None:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = os.path.join(home, "ctcdyn")
    features = ",".join(f"{name}{on}" for name, on in sorted(llvm.get_host_cpu_features().items()))
    target = [llvm.get_host_cpu_name(), features, *(os.environ.get(x, "") for x in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"))]
    return Path(root) / f"{target[0]}-{hashlib.sha256('|'.join(target).encode()).hexdigest()[:8]}"


def key_of(text: str) -> str:
    """The hash of what a module does: comments, docstrings and line numbers do not count, versions do."""
    import llvmlite
    import numba
    import numpy

    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.FunctionDef) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    versions = (platform.python_version(), numba.__version__, llvmlite.__version__, numpy.__version__, str(UNROLL))
    return hashlib.sha256("\n".join([ast.dump(tree), *versions]).encode()).hexdigest()[:24]


def load(text: str, entries: Callable[[ModuleType], Mapping[str, Any]], say: Callable[[bool], None] | None = None,
    key: str | None = None,
) -> ModuleType:
    """The module of `text` with its entry points compiled.

    `entries(module)` gives the name and numba signature of each function to compile. `say(cached)` is called before
    anything is compiled or loaded. Under NUMBA_DISABLE_JIT nothing is compiled and nothing is cached.
    """
    from numba import config

    _prepare()
    key = key or key_of(text)
    with _lock:
        if key in _loaded:
            return _loaded[key]
        if config.DISABLE_JIT:
            folder = _temporary()
            _write(folder / f"{key}.py", text)
            module = _import(folder / f"{key}.py", key)
        else:
            module = _found(key, text, entries, say) or _made(key, text, entries, say)
        _loaded[key] = module
        return module


def _found(key: str, text: str, entries: Callable[[ModuleType], Mapping[str, Any]], say: Callable[[bool], None] | None) -> ModuleType | None:
    folder = cache_folder() / key
    try:
        if not folder.is_dir():
            return None
        if folder.stat().st_uid != os.getuid():
            raise ValueError("it belongs to another user")
        _verify(folder)
        if say is not None:
            say(True)
        module = _import(folder / MODULE, key)
        _compile(module, entries)
        return module
    except Exception as error:  # whatever is wrong with a cache, the answer is to compile again
        sys.modules.pop(_module_name(key), None)
        _warn(f"cached kernel {folder} cannot be used ({error}); compiling it again")
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _made(key: str, text: str, entries: Callable[[ModuleType], Mapping[str, Any]], say: Callable[[bool], None] | None) -> ModuleType:
    if say is not None:
        say(False)
    root = cache_folder()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=root))
        _write(folder / MODULE, text)
    except OSError as error:
        _warn(f"kernels cannot be cached in {root} ({error.strerror or error}); set CTCDYN_CACHE to a folder of yours")
        folder = _temporary() / key
        folder.mkdir(exist_ok=True)
        _write(folder / MODULE, text)
    try:
        module = _import(folder / MODULE, key)
        _compile(module, entries)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if folder.parent == root:
        try:
            _seal(folder)
            os.rename(folder, root / key)
        except OSError:  # another process was first, or the disk is full: this process has what it needs
            shutil.rmtree(folder, ignore_errors=True)
    return module


def _compile(module: ModuleType, entries: Callable[[ModuleType], Mapping[str, Any]]) -> None:
    for name, signature in entries(module).items():
        function = getattr(module, name)
        function.enable_caching()
        function.compile(signature)
        function.disable_compile()  # another type is an error at once, never a silent second compile


def _seal(folder: Path) -> None:
    sums = {str(file.relative_to(folder)): _sum(file) for file in _files(folder)}
    _write(folder / SUMS, json.dumps(sums, indent=1, sort_keys=True))


def _verify(folder: Path) -> None:
    sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))
    for name, expected in sums.items():
        if _sum(folder / name) != expected:
            raise ValueError(f"{name} is damaged")


def _files(folder: Path) -> list[Path]:
    """The module and numba's index and data; Python's own bytecode is checked by Python."""
    return sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix in (".py", ".nbi", ".nbc"))


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _module_name(key: str) -> str:
    return f"ctcdyn_kernel_{key}"


def _import(file: Path, key: str) -> ModuleType:
    name = _module_name(key)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: numba's cache looks the module up
    spec.loader.exec_module(module)
    return module


def _prepare() -> None:
    global _prepared
    if not _prepared:
        import llvmlite.binding as llvm

        llvm.set_option("", f"-unroll-full-max-count={UNROLL}")
        _prepared = True


def _temporary() -> Path:
    folder = Path(tempfile.gettempdir()) / f"ctcdyn-{os.getpid()}"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _warn(message: str) -> None:
    warnings.warn(message, CacheWarning, stacklevel=4)
