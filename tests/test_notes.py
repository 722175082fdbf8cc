"""Notes of what was worked out once: read when they are there and whole, worked out anew else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ctcdyn.codegen import cache, notes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CTCDYN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "notes"


@pytest.fixture
def made() -> list[str]:
    return []


@pytest.fixture
def ask(made: list[str]) -> Callable[..., str]:
    def make(*inputs: str | bytes) -> str:
        def work() -> str:
            made.append(repr(inputs))
            return f"of {inputs} ü"

        return notes.noted(work, *inputs)

    return make


def test_it_is_worked_out_once(folder: Path, made: list[str], ask: Callable[..., str]) -> None:
    assert ask("a", b"b") == ask("a", b"b") == "of ('a', b'b') ü"
    assert len(made) == len(list(folder.iterdir())) == 1


def test_another_input_is_another_note(folder: Path, made: list[str], ask: Callable[..., str]) -> None:
    asked = [("a", "b"), ("ab",), ("a", "b", ""), ("b", "a")]
    assert len({ask(*inputs) for inputs in asked}) == len(made) == len(list(folder.iterdir())) == len(asked)


@pytest.mark.parametrize("damage", [
    lambda file: file.write_bytes(file.read_bytes()[:-1]),
    lambda file: file.write_bytes(file.read_bytes().replace(b"of", b"if")),
    lambda file: file.write_bytes(b""),
    lambda file: file.chmod(0o620),  # another user could have written it
    lambda file: file.unlink(),
], ids=["cut", "changed", "empty", "of others", "gone"])  # fmt: skip
def test_a_note_that_cannot_be_trusted_is_made_anew(
    folder: Path, made: list[str], ask: Callable[..., str], damage: Callable[[Path], object]
) -> None:
    ask("a")
    damage(next(folder.iterdir()))
    assert ask("a") == ask("a") == "of ('a',) ü"
    assert len(made) == 2


def test_a_note_under_the_name_of_another_is_not_taken_for_it(
    folder: Path, made: list[str], ask: Callable[..., str]
) -> None:
    """Whoever can write to the folder can move a note of ours, or link to it."""
    ask("a")
    first = next(folder.iterdir())
    ask("b")
    second = next(file for file in folder.iterdir() if file != first)
    first.replace(second)
    assert ask("b") == "of ('b',) ü"
    assert len(made) == 3


def test_a_process_whose_sources_changed_after_it_began_neither_reads_nor_writes_notes(
    folder: Path, made: list[str], ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it runs is older than the files whose hash would be in the name."""
    monkeypatch.setattr(notes, "_BEGUN", 0)
    notes._own.cache_clear()
    try:
        assert ask("a") == ask("a") == "of ('a',) ü"
    finally:
        notes._own.cache_clear()
    assert len(made) == 2
    assert not folder.exists()


def test_a_draft_that_cannot_take_its_place_is_removed(folder: Path, ask: Callable[..., str]) -> None:
    ask("a")
    file = next(folder.iterdir())
    file.unlink()
    (file / "full").mkdir(parents=True)
    assert ask("a") == "of ('a',) ü"
    assert list(folder.iterdir()) == [file]


def test_where_nothing_can_be_written_it_is_worked_out(folder: Path, made: list[str], ask: Callable[..., str]) -> None:
    folder.parent.write_text("a file where the folder would be", encoding="utf-8")
    assert ask("a") == ask("a") == "of ('a',) ü"
    assert len(made) == 2


def test_the_oldest_go(folder: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., str]) -> None:
    monkeypatch.setattr(notes, "MOST", 3)
    for k in range(7):
        ask(str(k))
    assert len(list(folder.iterdir())) == 3


def test_a_brief_module_has_its_numbers_and_finds_its_functions() -> None:
    text = "W = 16\nX = 2 * W\ndef half(x):\n    return x / 2\ndef run(x):\n    return half(x) + W\n"
    brief = cache._brief(text, ["run"])
    assert "half" not in brief
    module = cache._import(brief, "brief_test")
    cache._lengthen(module, text, "brief_test")
    assert (module.X, module.run(1.0), module.half(3.0)) == (32, None, 1.5)
    with pytest.raises(AttributeError, match="has no attribute 'third'"):
        module.third()
