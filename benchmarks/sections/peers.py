"""ctcdyn beside the tools that a user would take instead, at one achieved error: records of versus.py."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
FOLDER = HERE.parent / "docs" / "performance" / "versus"
AT = 1e-5  # the achieved error at which rate equations are compared: see versus.py
SAYS = {
    "ode": "rate equations", "jump": "the exact jump process", "tau": "tau-leaping", "langevin": "Langevin equations",
    "hybrid": "hybrids",
}  # fmt: skip


def measure() -> list[str]:
    """Every comparison of which there is a record, again; `versus.py PROBLEM --kind KIND --record FILE` adds one."""
    names = [path.stem for path in sorted(FOLDER.glob("*.json"))]
    for name in names:
        problem, _, kind = name.rpartition("-")
        words = [problem, "--kind", kind, "--record", str(FOLDER / f"{name}.json")]
        subprocess.run([sys.executable, str(HERE / "versus.py"), *words], check=True)
    return names


def record() -> dict[str, Any] | None:
    """All records of versus.py, the newest date as that of the whole; None where there is none."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    if not found:
        return None
    newest = max(found, key=lambda one: one["about"]["date"])
    found.sort(key=lambda one: (list(SAYS).index(one["kind"]), one["problem"]))
    return {"about": newest["about"], "found": found}


def best(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each tool and method the row to compare, the quickest first: of rate equations the cheapest whose error is no
    more than AT. Then, of tools that have none, one row that was left out or never got so far."""
    chosen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in one["rows"]:
        key = row["peer"], row["method"]
        old = chosen.get(key)
        if old is None or cost(row, one["kind"]) < cost(old, one["kind"]):
            chosen[key] = row
    return sorted(chosen.values(), key=lambda row: cost(row, one["kind"]))


def cost(row: dict[str, Any], kind: str) -> tuple[int, float]:
    """Comes first: what reached the error, by its time; then what is too wrong, by its error; then the rest."""
    if not row["seconds"]:
        return 2, 0.0
    if kind == "ode" and row["error"] > AT:
        return 1, row["error"]
    return 0, statistics.median(row["seconds"])


def lines(record: dict[str, Any]) -> list[str]:
    """A table for each problem and kind."""
    out: list[str] = []
    for one in record["found"]:
        a = one["about"]
        out += [f"### `{one['problem']}`, {SAYS[one['kind']]}", ""]
        out += [f"{one['says']} ({a['date'][:10]}, {a['cpu_name']})", ""]
        out += ["| tool | method | CPU a trajectory | events a second | times ctcdyn (95 %) | error | set-up |",
                "|---|---|---|---|---|---|---|"]  # fmt: skip
        for row in best(one):
            named = f"{row['peer']} {row['versions']}".strip()
            if not row["seconds"]:
                out.append(f"| {row['peer']} | {row['method']} | left out: {row['skipped']} | | | | |")
                continue
            middle = statistics.median(row["seconds"])
            rate = f"{row['events'] / middle:.3g}" if row["events"] else ""
            ratio = "{:.3g} ({:.3g} to {:.3g})".format(*row["ratio"]) if row["ratio"] else ""
            error = f"{row['error']:.1e}" if one["kind"] == "ode" else row["says"]
            if cost(row, one["kind"])[0]:
                ratio = f"never at {AT:g}"
            method = f"{row['method']}, {row['setting']:g}" if row["setting"] else row["method"]
            cells = named, method, microseconds(middle), rate, ratio, error, f"{row['setup']:.2f} s"
            out.append(f"| {' | '.join(cells)} |")
        out.append("")
    told = "`python benchmarks/versus.py PROBLEM --kind KIND`. Of rate equations each tool stands at its cheapest "
    return [*out, told + f"setting whose achieved error is {AT:g} or less."]


def microseconds(seconds: float) -> str:
    """A time with three digits.

    >>> microseconds(1.234e-5), microseconds(0.01)
    ('12.3 us', '10 ms')
    """
    for unit in ("us", "ms"):
        seconds *= 1e6 if unit == "us" else 1e-3
        if seconds < 1000.0:
            return f"{seconds:.3g} {unit}"
    return f"{1e-3 * seconds:.3g} s"


def picture(record: dict[str, Any], path: Path) -> None:
    """Error against CPU time of rate equations, a panel for each problem; CPU time alone of everything else."""
    from matplotlib.figure import Figure

    found = record["found"]
    tools = sorted({row["peer"] for one in found for row in one["rows"]}, key=lambda name: (name != "ctcdyn", name))
    width = 3
    height = -(-len(found) // width)
    figure = Figure(figsize=(3.9 * width, 3.1 * height), layout="constrained")
    panels = figure.subplots(height, width, squeeze=False).ravel()
    for axes, one in zip(panels, found):
        for k, name in enumerate(tools):
            mine = [row for row in one["rows"] if row["peer"] == name and row["seconds"]]
            cpu = [statistics.median(row["seconds"]) for row in mine]
            style = {"color": f"C{k % 10}", "marker": "os^vDP<>X*"[k % 10], "ms": 4, "lw": 1, "label": name}
            if one["kind"] == "ode":
                for method in dict.fromkeys(row["method"] for row in mine):
                    these = [k for k, row in enumerate(mine) if row["method"] == method]
                    axes.plot([cpu[k] for k in these], [mine[k]["error"] for k in these], **style)
            else:
                axes.plot(cpu, [k] * len(cpu), ls="", **style)
        axes.set(title=f"{one['problem']}, {one['kind']}", xscale="log", xlabel="CPU s a trajectory")
        if one["kind"] == "ode":
            axes.set(yscale="log", ylabel="error")
        else:
            axes.set_yticks([])
        axes.grid(alpha=0.3)
    for axes in panels[len(found) :]:
        axes.axis("off")
    known = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=6, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
