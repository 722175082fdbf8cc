"""Compiled kernels on disk: one folder for each module text, found by its hash, made whole or not at all.

A kernel is compiled in memory, written to a folder with a name that no other process uses, and renamed into place when
the module, its machine code and their sha256 are all there. Two processes that compile the same kernel at once both
succeed, and the second finds the first one's folder. What is damaged is told, thrown away and compiled again; where
nothing can be written, kernels live as long as the process does. Folders are named after the CPU, so nodes with
different CPUs can share a home. Machine code is never read from a folder that another user can write to.

Numba's own cache writes into its folder while it reads, looks in places that environment variables name, and ends a
compilation with an error on a full disk; here a dispatcher is handed bytes that were checked, and hands bytes back.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import hashlib
import importlib.abc
import importlib.util
import json
import os
import pickle
import platform
import re
import shutil
import stat
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from ctcdyn.codegen import notes

MODULE = "kernel.py"
SUMS = "sha256.json"
CODE = ".nbc"  # machine code of one entry point, as numba pickles it
STALE = 86400.0  # s: a folder begun so long ago was left by a process that was killed
UNROLL = 8  # loops longer than this are not unrolled in full: lane loops stay loops, and LLVM packs them

_lock = threading.Lock()
_loaded: dict[str, ModuleType] = {}


class CacheWarning(UserWarning):
    """The cache of compiled kernels is not what it should be; results do not depend on it."""

    code = "S604"


def cache_folder() -> Path:
    """Where compiled kernels of this CPU are kept: $CTCDYN_CACHE, or ctcdyn under the user's cache folder."""
    import llvmlite.binding as llvm

    features = ",".join(f"{name}{on}" for name, on in sorted(llvm.get_host_cpu_features().items()))
    told = [os.environ.get(x) for x in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")]
    target = [llvm.get_host_cpu_name(), features, *("" if x is None else f"={x}" for x in told)]  # "": no features
    return notes.root() / f"{target[0]}-{hashlib.sha256('|'.join(target).encode()).hexdigest()[:8]}"


@functools.lru_cache(maxsize=32)
def key_of(text: str) -> str:
    """The hash of what a module does: comments, docstrings and line numbers do not count, versions do."""
    import llvmlite
    import numba
    import numpy as np

    versions = (
        platform.python_version(),
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        str(UNROLL),
        _translator(),
    )
    return notes.noted(lambda: _key_of(text, versions), "key", text, *versions)


def _key_of(text: str, versions: tuple[str, ...]) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.FunctionDef) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return hashlib.sha256("\n".join([ast.dump(tree), *versions]).encode()).hexdigest()[:24]


@functools.cache
def _translator() -> str:
    """Hash of what writes LLVM's language: where it changes, kernels are compiled anew."""
    names = ("operations.py", "expressions.py", "translation.py", "entry.py")
    return _sum(b"".join(Path(__file__).with_name(name).read_bytes() for name in names))


def load(
    text: str,
    entries: Callable[[ModuleType], Mapping[str, Any]],
    say: Callable[[bool], None] | None = None,
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
            module = with_numpys_numbers(_import(text, key))
        else:
            module = _found(key, entries, say) or _made(key, text, entries, say)
        _loaded[key] = module
        return module


def with_numpys_numbers(module: ModuleType) -> ModuleType:
    """For plain Python: numba's `uint64(x)` is numpy's by a detour, a fifth of the time that a kernel takes."""
    import numpy as np

    for name in ("int64", "uint64", "uint32", "float32"):
        if name in vars(module):
            setattr(module, name, getattr(np, name))
    return module


def _found(
    key: str, entries: Callable[[ModuleType], Mapping[str, Any]], say: Callable[[bool], None] | None
) -> ModuleType | None:
    folder = cache_folder() / key
    try:
        if not os.path.lexists(folder):
            return None
        content = _read(folder)
        if say is not None:
            say(True)
        text, names = content[MODULE].decode("utf-8"), [name.removesuffix(CODE) for name in content if CODE in name]
        module = _import(notes.noted(lambda: _brief(text, names), "brief", text, *sorted(names)), key)
        _lengthen(module, text, key)
        for name, signature in entries(module).items():
            _compile(getattr(module, name), signature, content[name + CODE])
        return module
    except Exception as error:  # noqa: BLE001  # whatever is wrong with a cache, the answer is to compile again
        sys.modules.pop(_module_name(key), None)
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        _warn(f"cached kernel {folder} cannot be used ({reason}); compiling it again")
        with contextlib.suppress(OSError):
            _remove(folder)
        return None


def _brief(text: str, names: Sequence[str]) -> str:
    """A kernel's constants and the heads of its entry points: with their machine code that is all a run asks for, and
    to read the other functions takes longer than to load the code. Whoever asks for one of them has the whole text.
    """
    body = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            node.body = [ast.Pass()]
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Assign) or getattr(node, "name", None) in names:
            body.append(node)
    return f"{ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))}\n"


def _lengthen(module: ModuleType, text: str, key: str) -> None:
    """Give a brief module the functions that it left out, when they are asked for."""
    left_out = frozenset(re.findall(r"^ *def (\w+)", text, re.MULTILINE)) - vars(module).keys()
    whole = functools.cache(lambda: _import(text, f"{key}_whole"))

    def find(name: str) -> Any:
        if name not in left_out:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return getattr(whole(), name)

    vars(module)["__getattr__"] = find  # PEP 562


def _made(
    key: str,
    text: str,
    entries: Callable[[ModuleType], Mapping[str, Any]],
    say: Callable[[bool], None] | None,
) -> ModuleType:
    if say is not None:
        say(False)
    module = _import(text, key)
    content: dict[str, bytes] = {MODULE: text.encode("utf-8")}
    try:
        for name, signature in entries(module).items():
            content[name + CODE] = _compile(getattr(module, name), signature, text=text)
    except BaseException:
        sys.modules.pop(_module_name(key), None)
        raise
    root = cache_folder()
    try:
        _keep(root, key, content)
    except OSError as error:
        reason = error.strerror or error
        _warn(f"the kernel cannot be cached in {root} ({reason}); set CTCDYN_CACHE to a folder of yours")
    return module


class _Machine:
    """What a numba dispatcher takes for its cache: the machine code of one function, in memory."""

    cache_path = None

    def __init__(self, code: bytes | None) -> None:
        self.code = code

    def load_overload(self, _signature: object, context: Any) -> Any:
        """The compiled function, or None where it is still to be compiled; there is only one signature."""
        if self.code is None:
            return None
        from numba.core.compiler import CompileResult
        from numba.core.runtime import rtsys

        rtsys.initialize(context)  # all that machine code calls; what a compiler must know takes a quarter of a second
        return CompileResult._rebuild(context, *pickle.loads(self.code))

    def save_overload(self, _signature: object, result: Any) -> None:
        """Called by the dispatcher when it has compiled."""
        from numba.core.serialize import dumps

        self.code = dumps(result._reduce())


def _compile(function: Any, signature: Any, code: bytes | None = None, text: str = "") -> bytes:
    """Compile an entry point of the module of `text`, or take it from its machine code; gives the machine code."""
    from ctcdyn.codegen.recall import recalling
    from ctcdyn.codegen.whole import as_a_whole

    function._cache = machine = _Machine(code)
    collecting = gc.isenabled()
    gc.disable()  # compiling makes very many objects and no garbage: a tenth of the time
    try:
        with contextlib.ExitStack() as quick:
            if code is None:
                _translate(function, signature, text)
                quick.enter_context(as_a_whole(function.py_func.__qualname__))
                quick.enter_context(recalling())
            function.compile(signature)
    finally:
        if collecting:
            gc.enable()
    function.disable_compile()  # another type is an error at once, never a silent second compile
    assert machine.code is not None
    return machine.code


def _translate(function: Any, signature: Any, text: str) -> None:
    """Have numba compile only the entry point, where all that it calls is in the language of kernels."""
    from ctcdyn.codegen.entry import entry_point
    from ctcdyn.codegen.operations import TranslationError

    name = function.py_func.__name__
    with contextlib.suppress(TranslationError):
        function._compiler.py_func = entry_point(text, sys.modules[function.py_func.__module__], name, signature)


def _keep(root: Path, key: str, content: Mapping[str, bytes]) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(root)
    sums = {name: _sum(data) for name, data in content.items()}
    folder = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=root))
    try:
        for name, data in content.items():
            (folder / name).write_bytes(data)
        (folder / SUMS).write_text(json.dumps(sums, indent=1, sort_keys=True), encoding="utf-8")
        folder.rename(root / key)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        if not (root / key / SUMS).exists():  # else another process was first
            raise


def _read(folder: Path) -> dict[str, bytes]:
    """The files of a kernel by name, each as its sum says."""
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
        raise ValueError("it is no folder that only this user can write to")
    sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))
    content = {name: (folder / name).read_bytes() for name in sums}
    for name, data in content.items():
        if _sum(data) != sums[name]:
            raise ValueError(f"{name} is damaged")
    return content


def _sweep(root: Path) -> None:
    """Remove what killed processes left half written."""
    for folder in root.glob(".*-*"):
        with contextlib.suppress(OSError):  # another process was faster
            if time.time() - folder.lstat().st_mtime > STALE:
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove what stands in a kernel's place, unless another user put it there."""
    if folder.lstat().st_uid != os.getuid():
        return
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink()


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _module_name(key: str) -> str:
    return f"ctcdyn_kernel_{key}"


class Text(importlib.abc.InspectLoader):
    """Makes a module of a text, without Python's own cache of bytecode, which nothing guards against damage."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 (the name is the library's)
        return self.text

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 (the name is the library's)
        return self.source_to_code(self.text, self.file)


def _import(text: str, key: str) -> ModuleType:
    name = _module_name(key)
    spec = importlib.util.spec_from_loader(name, Text(text, str(cache_folder() / key / MODULE)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: numba looks the module up
    spec.loader.exec_module(module)
    return module


@functools.cache
def _prepare() -> None:
    """Once for a process."""
    import llvmlite.binding as llvm

    llvm.set_option("", f"-unroll-full-max-count={UNROLL}")


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _warn(message: str) -> None:
    warnings.warn(message, CacheWarning, stacklevel=4)
