"""The language that kernels are translated from: the same numbers as Python gives, and numba for what is not in it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ctcdyn.codegen import cache, translation
from ctcdyn.codegen.kernel import entries, link
from ctcdyn.codegen.operations import Array, TranslationError
from instances import SOLVERS, small

MACHINE = Path(cache.__file__).parents[1] / "kernels" / "machine.py"
HEAD = "from numba import int64, uint64\n" + MACHINE.read_text(encoding="utf-8")
LANGUAGE = """
TABLE = (3, 5, 7)
ROWS = np.array([[1.5, -0.0], [np.inf, 2.0]])
NONE = np.array([], np.int64)
CHECKED = False


@lane
def halves(x):
    return x * 0.5, x > 1.0


@lane
def either(x, way):
    if way == 0:
        return 1
    return x


@block
def fill(w, n, value):
    for i in range(n):
        w[i] = value


@kernel
def run(w, n):
    fill(w, 3, 9.0)
    out = uint64(8)
    for a in range(-7, 8):
        for b in range(-3, 4):
            w[out] = a // b if b != 0 else 0
            w[out + uint64(1)] = a % b if b != 0 else 0
            w[out + uint64(2)] = (0.5 * a) % float(b) if b != 0 else 0.5
            w[out + uint64(3)] = (0.5 + a) ** b  # exact, or the inverse of what is
            w[out + uint64(4)] = (0.5 + a) ** 3 - (0.5 + a) ** -2
            w[out + uint64(5)] = max(min(1.0 * a, b), -2) + abs(a) - abs(-0.5 * b)
            w[out + uint64(6)] = (a << 3) >> (b + 4)
            w[out + uint64(7)] = 1.0 if (a < b or not a > 0) and b != 2 else -a
            out += uint64(8)
    total, k = 0, 0
    while True:
        k += 1
        if k % 3 == 0:
            continue
        if k > 20:
            break
        total += k * TABLE[k % 3]
    for b in range(9, 0, -4):
        total += b
    for b in range(len_of(NONE)):
        total += NONE[b]
    w[-1] = total + b
    b = w[-1] / 8.0
    w[-2], large = halves(b)
    w[-3] = large
    w[-4] = ROWS[n[0], 1] + ROWS[1, n[1]] if large else np.nan
    w[-5] = either(2.5, n[0]) + either(2.5, 1)
    w[-6] = np.floor(-b) + np.ceil(b) + np.sqrt(b) + int(b) + int64(-b) + float_from_bits(bits_from_float(b))
    w[-7] = float(uint64(1 << 63) >> uint64(3)) - float(~k ^ 5 | 3)
    w[-8] = pick(large, k, 0.5) * w.shape[0]
    n[2] = int(b) & 0xFF
    n[-1] += -n[2] - 1
    if CHECKED:
        w[0] = unknown
    return total


@lane
def len_of(x):
    return x.shape[0]
"""


def module(text: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> ModuleType:
    """Compiled here and now."""
    from numba import types

    monkeypatch.setenv("CTCDYN_CACHE", str(folder))
    return cache.load(text, lambda _: {"run": (types.float64[::1], types.int64[::1])})


def test_what_is_translated_computes_what_python_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = HEAD + LANGUAGE
    kinds = (Array("f", 1), Array("i", 1))
    compiled = module(text, monkeypatch, tmp_path)
    written, name, result = translation.translate(text, vars(compiled), "run", kinds)
    assert result == "i"
    assert f"@{name}(ptr %a.w, i64 %a.w.0, ptr %a.n, i64 %a.n.0)" in written
    got, wanted = ((np.zeros(8 * 15 * 7 + 16), np.zeros(8, np.int64)) for _ in range(2))
    with monkeypatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr("numba.config.DISABLE_JIT", True)
        expected = cache.with_numpys_numbers(cache_free(text)).run(*wanted)
    assert compiled.run(*got) == expected
    assert got[0].tobytes() == wanted[0].tobytes()
    assert got[1].tolist() == wanted[1].tolist()


def cache_free(text: str) -> ModuleType:
    """The module in plain Python."""
    made = ModuleType("plain")
    cache.Text(text, "plain").exec_module(made)
    return made


@pytest.mark.parametrize(
    "statement",
    [
        "w[:] = 0.0", "total = sum(w)", "for x in w: n[0] += 1", "w[0] = math.exp(1.0)", "n[0] = n[0] + uint64(3)",
        "with w: pass", "w[0] = 1.0 if w else 2.0", "w[0] = 0 < w[1] < 2", "w = n", "w[0] = w[0] ** 0.5",
    ],
)  # fmt: skip
def test_what_numba_has_to_compile(statement: str) -> None:
    text = f"{HEAD}\n\n@kernel\ndef run(w, n):\n    {statement}\n    return 1\n"
    with pytest.raises(TranslationError):
        translation.translate(text, vars(cache_free(text)), "run", (Array("f", 1), Array("i", 1)))


def test_numba_compiles_what_is_not_translated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = HEAD + "\n\n@kernel\ndef run(w, n):\n    w[:] = w.sum() + n[0]\n"
    got = np.arange(3.0)
    module(text, monkeypatch, tmp_path).run(got, np.array([4]))
    assert got.tolist() == [7.0] * 3


@pytest.mark.parametrize("method", SOLVERS)
def test_kernels_are_translated(method: str) -> None:
    """Of shipped solvers none is left to numba, which takes three to five times as long."""
    from ctcdyn.codegen.entry import _kind, widened

    linked = link(small("toy")[0], method)
    names = vars(cache_free(linked.source))
    kinds = tuple(_kind(x) for x in entries(ModuleType(""))["run"])
    written, name, result = translation.translate(linked.source, names, "run", kinds)
    assert "run" in name
    assert widened(written).count('"prefer-vector-width"="512"') == f"\n{written}".count("\ndefine ")
    assert result == "i"
