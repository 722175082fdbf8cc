"""A whole command, from its start to the first trajectories and to the picture: warm and cold."""

from __future__ import annotations

from typing import Any

WARM, COLD = 7, 3


def measure() -> dict[str, Any]:
    """Medians of `starting.py`: {"warm", "cold"} -> stage -> [CPU s, wall s]."""
    from starting import ROOT, medians

    study = ROOT / "configs" / "quickstart.toml"
    return {"warm": medians(study, WARM), "cold": medians(study, COLD, cold=True), "runs": [WARM, COLD]}


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    found = record["found"]
    head = ("`ctcdyn run configs/quickstart.toml`, from its start until", "kernel in the cache: CPU", "wall")
    out = [f"| {' | '.join((*head, 'empty cache: CPU', 'wall'))} |", "|---|---|---|---|---|"]
    says = {
        "checked": "the study is read and checked", "kernel": "the kernel is there",
        "first range": "the first range of trajectories is done", "last range": "the last one is",
        "end": "it ends: result, summary, picture",
    }  # fmt: skip
    for stage, told in says.items():
        cells = [f"{x:.2f} s" for kind in ("warm", "cold") for x in found[kind][stage]]
        out.append(f"| {told} | {' | '.join(cells)} |")
    warm, cold = found["runs"]
    return [*out, "", f"`python benchmarks/starting.py`, and with `--cold`: medians of {warm} and {cold} runs."]
