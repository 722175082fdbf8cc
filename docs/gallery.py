"""Makes the pictures and the answers of docs/gallery.md: python docs/gallery.py [STUDY...], without names all.

Each study is run twice, so that nothing is compiled in the run whose time is taken (of the processor, which other work
on the machine does not change), then drawn and asked. What stands between the marks of a study in the page is replaced;
the paragraph above it is by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ctcdyn
from ctcdyn.config import load_study
from ctcdyn.markers import prognosis
from ctcdyn.plots import plot
from ctcdyn.report import answers
from ctcdyn.results import Results

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
        named = ",".join(self.species)
        words += [f'--species "{named}"' if "(" in named else f"--species {named}"] if named else []
        words += [f'--by "{",".join(self.by)}"'] if self.by else []
        return " ".join([*words, f"-o {name}.svg"])


STUDIES = {
    "quickstart": Picture("km"),
    "resection_timing": Picture("km", ("relapse",)),
    "adjuvant_timing": Picture("km"),
    "ctc_biomarker": Picture("km", by=("ctc_found@1650>=5",)),
    "nk_boost": Picture("fates", ("founded", "asleep", "extravasated", "nk")),
    "antiplatelet_nk": Picture("fates", ("founded", "extravasated", "nk", "lodged")),
    "dormancy_biology": Picture("bands", ("chance_relapse",)),
    "organ_patterns": Picture("organs"),
    "sobol_sensitivity": Picture("tornado", ("log(relapse)",)),
    "phase_diagram": Picture("heatmap", ("tumor",)),
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


def told(name: str, results: Results) -> list[str]:
    """The sentences of the report; of the biomarker what the count of cells in a tube tells besides."""
    found = answers(results)
    if name == "sobol_sensitivity":
        indices = results.sensitivity("log(relapse)")
        order = np.argsort(-indices.total)
        first = [
            f"{indices.names[k].replace('_', ' ')} {indices.first[k]:.2f} and {indices.total[k]:.2f}"
            for k in order
        ]
        return [
            f"First-order and total index of the logarithm of the chance: {', '.join(first)}.",
            f"Alone they explain {100 * indices.first.sum():.2g} % of its variance; the rest is what they do together.",
        ]
    if name == "phase_diagram":
        held = (results.points.outcome("tumor").value < 1e8).mean()
        return [
            f"After ten years the tumour has less than 1e8 cells at {100 * held:.2g} % of the points of the plane.",
            "There is no Monte-Carlo error: each point is one course of two rate equations.",
        ]
    if name != "ctc_biomarker":
        return found
    tube = prognosis(results, "relapse", "ctc_found", 1650.0)
    high, ratio = tube.survival["from 5"].n, tube.survival.hazard_ratio("from 5", "below 5")
    within = tube.horizon / 365.25
    share = f"{high} of {results.schema.count}"
    hazard = f"{ratio.value:.3g} times that of the others (95 % interval {ratio.low:.3g} to {ratio.high:.3g})"
    true, false = 100 * tube.sensitivity.value, 100 * (1 - tube.specificity.value)
    return [
        *found,
        f"5 cells or more were found in {share}; the hazard of a relapse is {hazard}.",
        f"Of those with a relapse within {within:.3g} years {true:.3g} % had 5 or more, of the others {false:.3g} %.",
        f"Area under the ROC curve: {tube.roc.auc}.",
    ]


def make(name: str, folder: Path) -> None:
    """Run, draw, ask, and write the block of one study."""
    study, result = HERE.parent / "configs" / f"{name}.toml", folder / f"{name}.h5"
    for _ in range(2):
        began = time.process_time()
        found = ctcdyn.run(load_study(study, [f'output.file="{result.as_posix()}"']), overwrite=True)
        seconds = time.process_time() - began
    with found as results:
        tell(name, results, seconds)
    print(f"{name}: {seconds:.2g} s of a core", file=sys.stderr)


def tell(name: str, results: Results, seconds: float) -> None:
    """Draw one study and write its block."""
    chosen = STUDIES[name]
    plot(results, chosen.kind, chosen.species, HERE / "gallery" / f"{name}.svg", by=chosen.by)
    text = block(name, seconds, told(name, results))
    start, end = marks(name)
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.escape(start) + ".*?" + re.escape(end)
    PAGE.write_text(re.sub(pattern, lambda _: start + text + end, page, flags=re.DOTALL), encoding="utf-8")


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
