"""A kernel that numba compiles the quick way computes what it does when numba finishes every function its own way.

And so does one that is translated, which most are: `codegen/translation.py` is turned off where the others are meant.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.codegen import JITCodeLibrary

from ctcdyn.codegen import cache, recall, whole
from ctcdyn.codegen.kernel import Kernel, link
from instances import Case, content, small


def fresh(
    method: str, monkeypatch: pytest.MonkeyPatch, folder: Path, model: str = "toy", translated: bool = False
) -> tuple[Kernel, int]:
    """A kernel that is compiled here and now, by numba alone, and how many times LLVM made machine code."""
    made = []
    emit: Callable[[Any], None] = JITCodeLibrary._finalize_specific
    with monkeypatch.context() as patch:
        patch.setenv("CTCDYN_CACHE", str(folder))
        patch.setattr(cache, "_loaded", {})
        patch.setattr(JITCodeLibrary, "_finalize_specific", lambda self: (made.append(self.name), emit(self)))
        if not translated:
            patch.setattr(cache, "_translate", lambda *_: None)
        kernel = link(small(model)[0], method).compile()
    return kernel, len(made)


@pytest.fixture(scope="module")
def whole_direct(tmp_path_factory: pytest.TempPathFactory) -> tuple[Kernel, int]:
    """The kernel of `direct`, by numba as a whole."""
    with pytest.MonkeyPatch.context() as patch:
        return fresh("direct", patch, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("method, model", [("direct", "toy"), ("rodas5p", "kuznetsov_1994")])
def test_the_same_bytes_as_function_by_function(
    method: str, model: str, whole_direct: tuple[Kernel, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Treatments and events are those of the toy; a solver of stiff equations is tried with a model of two species."""
    at_once, emitted = whole_direct if method == "direct" else fresh(method, monkeypatch, tmp_path / "a", model)
    assert emitted == 1, "only the entry point has machine code"
    written, emitted = fresh(method, monkeypatch, tmp_path / "c", model, translated=True)
    assert emitted == 1
    with monkeypatch.context() as patch:
        patch.setattr(whole, "as_a_whole", lambda _entry: contextlib.nullcontext())
        patch.setattr(recall, "recalling", contextlib.nullcontext)
        by_function, emitted = fresh(method, monkeypatch, tmp_path / "b", model)
    assert emitted > 20
    assert at_once.module is not by_function.module
    case = Case(model, method, 300)
    one, two, other = (content(kernel, case.ensemble()) for kernel in (at_once, written, by_function))
    assert one.keys() == two.keys() == other.keys()
    for name, values in one.items():
        assert values.tobytes() == two[name].tobytes() == other[name].tobytes(), name


@pytest.mark.usefixtures("whole_direct")
def test_other_functions_of_the_process_compile_as_ever() -> None:
    """Code of numba's own that a kernel has translated is kept by numba, and has to be whole for others."""

    @njit
    def tail(rows: Any) -> Any:
        return np.sort(rows.reshape(rows.size))[-3:].sum()

    assert tail(np.arange(12.0).reshape(3, 4)) == 30.0

    @njit
    def middle(rows: Any) -> Any:
        out = np.empty(rows.shape[0])
        for k in range(rows.shape[0]):
            out[k] = np.median(rows[k]) + min(rows[k, 0], np.uint32(3))
        return out

    assert middle(np.arange(12.0).reshape(3, 4)).tolist() == [1.5, 8.5, 12.5]


def translated(kernel: Kernel) -> str:
    """LLVM's code of the entry point with all that it calls, without numba's running numbers and their lengths."""
    (code,) = kernel.module.run.inspect_llvm().values()
    return re.sub(r"B\d+v\d+|\[\d+ x i8\]", "", code)


def test_the_same_code_for_what_numba_is_asked_once(
    whole_direct: tuple[Kernel, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick, _ = whole_direct
    with monkeypatch.context() as patch:
        patch.setattr(recall, "recalling", contextlib.nullcontext)
        slow, _ = fresh("direct", monkeypatch, tmp_path / "b")
    assert quick.module is not slow.module
    assert len(translated(quick)) > 1e5
    assert translated(quick) == translated(slow)


def test_a_numba_that_is_made_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where numba does not keep the class of its libraries, every function is finished as it always was."""
    codegen = whole.cpu_target.target_context.codegen()

    class Other(JITCodeLibrary):  # type: ignore[misc]
        pass

    monkeypatch.setattr(codegen, "_library_class", Other, raising=False)
    _, emitted = fresh("direct", monkeypatch, tmp_path, "birth_death_immigration")
    assert emitted > 20
