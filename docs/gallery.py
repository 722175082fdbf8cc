"""Makes the pictures and the answers of docs/gallery.md: python docs/gallery.py [STUDY...], without names all.

Each study is run twice, so that nothing is compiled in the run whose time is taken (of the processor, which
other work on the machine does not change), then drawn and asked. What stands between the marks of a study in the page is
replaced; the paragraph above it is by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import ctcdyn
from ctcdyn.config import load_study
from ctcdyn.plots import plot
from ctcdyn.report import answers

HERE = Path(__file__).parent
PAGE = HERE / "gallery.md"


@dataclass(frozen=True)
class Picture:
    """How the picture of a study is drawn: as `ctcdyn plot` takes it."""

    kind: str
    species: tuple[str, ...] = ()
    by: tuple[str, ...] = ()

    def command(self, name: str) -> str:
        """What to type for it."""
        words = [f"ctcdyn plot {name}.h5 --kind {self.kind}"]
        words += [f"--species {','.join(self.species)}"] if self.species else []
        words += [f'--by "{",".join(self.by)}"'] if self.by else []
        return " ".join([*words, f"-o {name}.svg"])


STUDIES = {
    "nk_boost": Picture("fates", ("founded", "asleep", "extravasated", "nk")),
    "antiplatelet_nk": Picture("fates", ("founded", "extravasated", "nk", "lodged")),
    "dormancy_biology": Picture("bands", ("chance_relapse",)),
    "organ_patterns": Picture("organs"),
}


def block(name: str, seconds: float, found: list[str]) -> str:
    """What stands between the marks of a study: picture, answer, time, commands."""
    lines = "\n".join(f"- {line}" for line in found)
    return (
        f"![{name.replace('_', ' ')}](gallery/{name}.svg)\n\n{lines}\n\n"
        f"`ctcdyn run configs/{name}.toml` needs {seconds:.2g} s of one core, half of it on two, "
        "once its kernel is compiled; then\n"
        f"`{STUDIES[name].command(name)}`.\n"
    )


def marks(name: str) -> tuple[str, str]:
    """The lines between which the block of a study stands."""
    return f"<!-- {name}: by docs/gallery.py -->\n", f"<!-- end of {name} -->\n"


def make(name: str, folder: Path) -> None:
    """Run, draw, ask, and write the block of one study."""
    study, result = HERE.parent / "configs" / f"{name}.toml", folder / f"{name}.h5"
    for _ in range(2):
        began = time.process_time()
        found = ctcdyn.run(load_study(study, [f'output.file="{result.as_posix()}"']), overwrite=True)
        seconds = time.process_time() - began
    chosen = STUDIES[name]
    with found as results:
        plot(results, chosen.kind, chosen.species, HERE / "gallery" / f"{name}.svg", by=chosen.by)
        text = block(name, seconds, answers(results))
    start, end = marks(name)
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.escape(start) + ".*?" + re.escape(end)
    PAGE.write_text(re.sub(pattern, lambda _: start + text + end, page, flags=re.DOTALL), encoding="utf-8")
    print(f"{name}: {seconds:.2g} s of a core", file=sys.stderr)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("study", nargs="*", help="default: all")
    parser.add_argument("--folder", type=Path, help="where results are left; default: nowhere")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as lost:
        unknown = sorted({*asked.study} - {*STUDIES})
        if unknown:
            parser.error(f"no study {', '.join(unknown)}; there are {', '.join(STUDIES)}")
        for name in asked.study or STUDIES:
            make(name, asked.folder or Path(lost))


if __name__ == "__main__":
    main()
