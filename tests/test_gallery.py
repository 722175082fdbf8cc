"""The gallery: every study of its list is on the page with its picture, and what the page says is what one types."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from ctcdyn.config import load_study
from ctcdyn.plots import kinds

ROOT = Path(__file__).parents[1]
LARGEST = 150_000  # bytes of a picture


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["gallery"] = module
    spec.loader.exec_module(module)
    return module


def test_every_study_has_its_block_picture_and_command(gallery: ModuleType) -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- (\w+): by", page) == [*gallery.STUDIES]
    assert {path.stem for path in (ROOT / "docs" / "gallery").iterdir()} == {*gallery.STUDIES}
    for name, picture in gallery.STUDIES.items():
        start, end = gallery.marks(name)
        block = page.partition(start)[2].partition(end)[0]
        assert picture.kind in kinds()
        assert f"`{picture.command(name)}`" in block
        assert f"](gallery/{name}.svg)" in block
        assert len(re.findall("^- ", block, re.MULTILINE)) >= 2
        assert re.search(rf"`ctcdyn run configs/{name}\.toml` needs [\d.]+ s of one core", block)
        assert f"`configs/{name}.toml`" in page
        drawn = (ROOT / "docs" / "gallery" / f"{name}.svg").read_text(encoding="utf-8")
        assert len(drawn) < LARGEST
        assert "not for clinical use" in drawn
        assert load_study(ROOT / "configs" / f"{name}.toml").output.file.endswith(f"{name}.h5")
