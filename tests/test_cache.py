"""The cache of compiled kernels: whatever is wrong with it, results are the same and nothing crashes.

A module of one function stands for a kernel: it compiles in a moment, and the cache knows no difference.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cached import ANSWER, KEY, TEXT, entries, load
from chance import seed_of
from commands import small_study
from ctcdyn.codegen import cache
from ctcdyn.codegen.cache import CacheWarning

HERE = Path(__file__).parent


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own."""
    monkeypatch.setenv("CTCDYN_CACHE", str(tmp_path / "cache"))
    yield cache.cache_folder()
    cache._loaded.pop(KEY, None)


@pytest.fixture
def folder(root: Path) -> Path:
    """A good cached kernel."""
    assert load() == ANSWER
    return root / KEY


def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """A new process that knows the module above."""
    head = "import os, sys, time; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nfrom cached import *\n"
    return subprocess.Popen(
        [sys.executable, "-W", "always::UserWarning", "-c", head + code, str(HERE), *map(str, arguments)],
        env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@dataclass
class Trap:
    """Makes a folder when it is unpickled."""

    path: str

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} if folder.exists() else set()


def test_a_kernel_is_kept_whole_and_found_again(root: Path) -> None:
    said: list[bool] = []
    assert load(said.append) == load(said.append) == ANSWER
    assert said == [False, True]
    assert names(root) == {KEY}
    assert names(root / KEY) == {"kernel.py", "run.nbc", "sha256.json"}
    assert (root / KEY / "kernel.py").read_text(encoding="utf-8") == TEXT
    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o700


def test_another_type_is_an_error_and_no_second_kernel(folder: Path) -> None:
    load()
    with pytest.raises(TypeError, match="No matching definition"):
        cache._loaded[KEY].run(np.ones(3, dtype=np.float32))
    assert len(cache._loaded[KEY].run.signatures) == 1


def test_four_processes_compile_the_same_kernel_at_once(root: Path, tmp_path: Path) -> None:
    """Each has looked and found nothing before one compiles; all succeed, one folder remains, a fifth finds it."""
    code = (
        "def entries_together(module):\n"
        "    ready = Path(sys.argv[2])\n    (ready / str(os.getpid())).touch()\n"
        "    while len(list(ready.iterdir())) < 4: time.sleep(0.002)\n"
        "    return entries(module)\n"
        "said, x = [], np.ones(3)\n"
        "cache.load(TEXT, entries_together, said.append, KEY).run(x)\nprint(x.tolist(), *said)\n"
    )
    ready = tmp_path / "ready"
    ready.mkdir()
    ended = [finish(process) for process in [start(code, ready) for _ in range(4)]]
    assert ended == [(0, f"{ANSWER} False\n", "")] * 4
    assert names(root) == {KEY}
    assert finish(start(code, ready)) == (0, f"{ANSWER} True\n", "")


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    at = bit % (8 * len(data))
    data[at // 8] ^= 1 << at % 8
    file.write_bytes(data)


def rewrite_sums(folder: Path, change: Callable[[dict[str, str]], object]) -> None:
    sums = json.loads((folder / cache.SUMS).read_text(encoding="utf-8"))
    changed = change(sums)
    text = json.dumps(sums if changed is None else changed)
    (folder / cache.SUMS).write_text(text, encoding="utf-8")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "code cut in half": lambda f: (f / "run.nbc").write_bytes((f / "run.nbc").read_bytes()[:5000]),
    "code empty": lambda f: (f / "run.nbc").write_bytes(b""),
    "code gone": lambda f: (f / "run.nbc").unlink(),
    "module empty": lambda f: (f / "kernel.py").write_bytes(b""),
    "module gone": lambda f: (f / "kernel.py").unlink(),
    "other module": lambda f: (f / "kernel.py").write_text(TEXT.replace("3.0", "4.0"), encoding="utf-8"),
    "sums empty": lambda f: (f / "sha256.json").write_bytes(b""),
    "sums gone": lambda f: (f / "sha256.json").unlink(),
    "sums of nothing": lambda f: (f / "sha256.json").write_text("{}", encoding="utf-8"),
    "sums a list": lambda f: rewrite_sums(f, list),
    "sums a number": lambda f: rewrite_sums(f, lambda _: 7),
    "sums without the code": lambda f: rewrite_sums(f, lambda sums: sums.pop("run.nbc") and None),
    "sums of a folder": lambda f: rewrite_sums(f, lambda sums: sums.update({"..": "00"})),
    "all gone": lambda f: [file.unlink() for file in f.iterdir()],
    "a file in its place": lambda f: f.rename(f.parent / "away") and f.write_text("x", encoding="utf-8"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_told_and_compiled_again(damage: str, folder: Path) -> None:
    DAMAGES[damage](folder)
    said: list[bool] = []
    with pytest.warns(CacheWarning, match=r"cannot be used .*compiling it again") as told:
        assert load(said.append) == ANSWER
    assert len(told) == 1
    assert said[-1] is False
    assert load(said.append) == ANSWER  # good again, without a word
    assert said[-1] is True


def test_a_hundred_flipped_bits_are_all_noticed(folder: Path) -> None:
    """In each file, anywhere; one in the names or sums of a JSON text, or in its white space."""
    rng = np.random.default_rng(seed_of())
    for k, bit in enumerate(rng.integers(0, 2**62, 100).tolist()):
        file = folder / ("run.nbc", "kernel.py", "sha256.json")[k % 3]
        good = file.read_bytes()
        flip(file, bit)
        try:
            content = cache._read(folder)
        except (ValueError, KeyError, OSError):
            content = {}
        # a bit of white space between the sums may turn into other white space, and that is no damage
        assert not content or (
            file.name == "sha256.json" and json.loads(good) == json.loads(file.read_text())
        )
        file.write_bytes(good)
    assert load() == ANSWER


@pytest.mark.parametrize("file", ["run.nbc", "kernel.py", "sha256.json"])
def test_a_flipped_bit_changes_no_result(file: str, folder: Path) -> None:
    flip(folder / file, seed_of() % (8 * 100))
    with pytest.warns(CacheWarning, match="cannot be used"):
        assert load() == ANSWER
    assert load() == ANSWER


def test_where_nothing_can_be_written_the_kernel_lives_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder below a file: nobody can make it, not even an administrator."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("CTCDYN_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        with pytest.warns(CacheWarning, match=r"cannot be cached in .*Not a directory.* set CTCDYN_CACHE"):
            assert load() == ANSWER
    assert names(tmp_path) == {"file"}


def test_a_good_kernel_in_a_folder_that_cannot_be_written_is_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that is mounted read-only: reading a kernel writes nothing."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(30, "Read-only file system")

    for call in ("mkdir", "rename", "write_bytes", "write_text", "touch", "unlink"):
        monkeypatch.setattr(Path, call, refuse)
    for call in ("mkdir", "makedirs", "rename", "replace", "unlink", "utime"):
        monkeypatch.setattr(os, call, refuse)
    monkeypatch.setattr(cache.tempfile, "mkdtemp", refuse)
    said: list[bool] = []
    assert load(said.append) == ANSWER
    assert said == [True]


def test_a_home_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTCDYN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "nonexistent"))
    with pytest.warns(CacheWarning, match="set CTCDYN_CACHE"):
        assert load() == ANSWER


def test_the_folder_follows_the_usual_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTCDYN_CACHE", "")  # empty is not set
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.cache_folder().parent == tmp_path / ".cache" / "ctcdyn"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache.cache_folder().parent == tmp_path / "other" / "ctcdyn"
    monkeypatch.delenv("XDG_CACHE_HOME")

    def nobody(_cls: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(nobody))
    found = cache.cache_folder().parent
    assert found.is_absolute()
    assert found.name == f"ctcdyn-{os.getuid()}"


def test_nodes_with_different_cpus_share_a_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, features and what numba is told to compile for: each has a folder of its own, all in one root."""
    import llvmlite.binding as llvm

    folders = [root, cache.cache_folder()]
    assert len(set(folders)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(llvm, "get_host_cpu_name", lambda: "skylake")
        folders.append(cache.cache_folder())
        assert folders[-1].name.startswith("skylake-")
    with monkeypatch.context() as patch:
        fewer = dict(llvm.get_host_cpu_features()) | {"avx2": False, "a-new-one": True}
        patch.setattr(llvm, "get_host_cpu_features", lambda: fewer)
        folders.append(cache.cache_folder())
    for name, value in (("NUMBA_CPU_NAME", "x86-64-v3"), ("NUMBA_CPU_FEATURES", "+sse2"), ("NUMBA_CPU_FEATURES", "")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            folders.append(cache.cache_folder())
    assert len(set(folders)) == 6
    assert {f.parent for f in folders} == {root.parent}


@pytest.mark.parametrize("way", ["owner", "mode", "link"])
def test_what_another_user_could_have_written_is_never_read(
    way: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code is a pickle, and a pickle can do anything. What is not ours is not removed either."""
    (folder / "run.nbc").write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    rewrite_sums(folder, lambda sums: sums.update({"run.nbc": cache._sum((folder / "run.nbc").read_bytes())}))
    if way == "owner":
        mine = os.getuid()
        monkeypatch.setattr(cache.os, "getuid", lambda: mine + 1)
    elif way == "mode":
        folder.chmod(0o777)
    else:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    said: list[bool] = []
    with pytest.warns(CacheWarning, match="no folder that only this user can write to") as told:
        assert load(said.append) == ANSWER
    assert len(told) == 1
    assert said == [False]
    assert not (tmp_path / "sprung").exists()
    assert names(folder.parent) == {KEY}
    left = {"owner": folder, "link": tmp_path / "elsewhere"}.get(way)
    assert left is None or b"sprung" in (left / "run.nbc").read_bytes()
    if way != "owner":  # what was ours is replaced
        assert load(said.append) == ANSWER
        assert said == [False, True]


def test_the_trap_of_the_test_above_works(folder: Path, tmp_path: Path) -> None:
    """In a folder that only this user can write to, the same bytes are believed."""
    (folder / "run.nbc").write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    rewrite_sums(folder, lambda sums: sums.update({"run.nbc": cache._sum((folder / "run.nbc").read_bytes())}))
    with pytest.warns(CacheWarning, match="cannot be used"):
        assert load() == ANSWER
    assert (tmp_path / "sprung").exists()


def test_killed_while_compiling_leaves_nothing_behind(root: Path) -> None:
    """The compiler works in memory: there is nothing to leave."""
    code = (
        "def entries_late(module):\n    print('now', flush=True)\n    time.sleep(60)\n"
        "cache.load(TEXT, entries_late, None, KEY)\n"
    )
    process = start(code)
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    assert names(root) == set()


def test_killed_while_writing_leaves_a_folder_that_a_later_day_sweeps(root: Path) -> None:
    """Everything is written and only the renaming is missing: the worst moment."""
    code = "Path.rename = lambda *_: os.kill(os.getpid(), 9)\nload()\n"
    assert finish(start(code))[0] == -signal.SIGKILL
    (left,) = root.iterdir()
    assert left.name.startswith(f".{KEY}-")
    said: list[bool] = []
    assert load(said.append) == load(said.append) == ANSWER
    assert said == [False, True]
    assert names(root) == {KEY, left.name}  # it may still be another process's: it is young
    long_ago = time.time() - 2 * 86400
    os.utime(left, (long_ago, long_ago))
    os.utime(root / KEY, (long_ago, long_ago))
    cache._keep(root, "another", {})
    assert names(root) == {KEY, "another"}


def test_a_full_disk_is_told_and_harms_nothing(root: Path) -> None:
    """No file may grow beyond 2 kB, in the child only."""
    code = (
        "import resource, warnings\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "with warnings.catch_warnings(record=True) as told:\n    answer = load()\n"
        "print(answer == ANSWER, [(w.category.__name__, 'too large' in str(w.message)) for w in told])\n"
    )
    assert finish(start(code)) == (0, "True [('CacheWarning', True)]\n", "")
    assert names(root) == set()
    assert load() == ANSWER
    assert names(root) == {KEY}


def test_numbas_own_settings_neither_move_nor_hide_a_kernel(root: Path, tmp_path: Path) -> None:
    settings = {"NUMBA_CACHE_DIR": str(tmp_path / "numba"), "NUMBA_CACHE_LOCATOR_CLASSES": "NoSuchClass"}
    code = "said = []\nprint(load(said.append) == ANSWER, *said)"
    assert [finish(start(code, **settings)) for _ in range(2)] == [
        (0, "True False\n", ""),
        (0, "True True\n", ""),
    ]
    assert names(tmp_path) == {"cache"}


def test_what_does_not_compile_is_not_kept(root: Path) -> None:
    from numba.core.errors import TypingError

    text = TEXT.replace("STEP * i", "STEP.no_such")
    with pytest.raises(TypingError, match="no_such"):
        cache.load(text, entries)
    assert names(root) == set()
    assert f"ctcdyn_kernel_{cache.key_of(text)}" not in sys.modules


def test_a_traceback_and_inspect_show_the_text_of_a_kernel_that_no_file_holds(root: Path) -> None:
    import inspect

    load()
    (root / KEY / "kernel.py").unlink()
    assert inspect.getsource(cache._loaded[KEY].run.py_func).startswith("@njit(")


def test_the_command_line_warns_in_one_line_and_goes_on(tmp_path: Path) -> None:
    """Two kernels cannot be cached, that of the model and that of the reduction, for one reason: one line."""
    study = small_study(tmp_path)
    (tmp_path / "file").touch()
    program = "from ctcdyn.cli import main; main()"
    given = [
        sys.executable,
        "-c",
        program,
        "run",
        str(study),
        "--progress",
        "plain",
    ]
    environment = os.environ | {"CTCDYN_CACHE": str(tmp_path / "file" / "x")}
    done = subprocess.run(given, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if line.startswith("warn") or "cache.py" in line]
    assert len(warned) == 1
    assert re.match(
        r"warning\[S604\]: the kernel cannot be cached in .*; set CTCDYN_CACHE to a folder of yours",
        warned[0],
    )
    first = (tmp_path / "small.h5").read_bytes()
    assert len(first) > 1000
