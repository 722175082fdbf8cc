"""ctcdyn beside the tools that a user would take instead, at one achieved error: records of versus.py."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curves import MIDDLE, Row, Standing, rows_of, standings

HERE = Path(__file__).parents[1]
FOLDER = HERE.parent / "docs" / "performance" / "versus"
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


def lines(record: dict[str, Any]) -> list[str]:
    """A table for each problem and kind: what each method costs at equal errors, whoever is the quickest."""
    out: list[str] = []
    for one in record["found"]:
        a, rows = one["about"], rows_of(one)
        made = standings(rows, one["kind"])
        levels = list(dict.fromkeys(standing.level for standing in made))
        main = MIDDLE if MIDDLE in levels else levels[0]
        out += [f"### `{one['problem']}`, {SAYS[one['kind']]}", ""]
        out += [f"{one['says']} ({a['date'][:10]}, {a['cpu_name']})", ""]
        heads = ["as it is" if level is None else f"at an error of {level:g}" for level in levels]
        out += [f"| tool | method | {' | '.join(heads)} | set-up |", "|---|---" + "|---" * (len(heads) + 1) + "|"]
        keys = dict.fromkeys((standing.peer, standing.method) for standing in sorted(made, key=place(main)))
        absent: dict[str, list[str]] = {}
        for key in keys:
            mine = [row for row in rows if (row.peer, row.method) == key]
            timed = [row for row in mine if row.seconds]
            if not timed:
                absent.setdefault(mine[-1].skipped, []).append(" ".join(key))
                continue
            cells = [cell(next(s for s in made if (s.peer, s.method, s.level) == (*key, level))) for level in levels]
            named = f"**{key[0]}**" if key[0] == "ctcdyn" else f"{key[0]} ({timed[0].versions})"
            out.append(f"| {named} | {key[1]} | {' | '.join(cells)} | {timed[0].setup:.2g} s |")
        out += ["", *(f"Left out: {', '.join(names)}: {why}." for why, names in absent.items()), ""]
    told = "`python benchmarks/versus.py PROBLEM --kind KIND`. Times are CPU time of one thread for one trajectory, "
    told += "and times what ctcdyn takes at the same error (95 % interval over rounds): above 1 ctcdyn is faster."
    return [*out, told]


def place(level: float | None) -> Callable[[Standing], tuple[bool, float, float]]:
    """An order: by what is paid at this level, whoever never reaches it last."""
    return lambda one: (one.level != level, one.seconds if one.seconds > 0.0 else float("inf"), 0.0)


def cell(standing: Standing) -> str:
    if not standing.seconds > 0.0:
        return "fails" if "no better" not in standing.why else standing.why
    if not standing.ratio:
        return microseconds(standing.seconds)
    return "{}: {:.3g} ({:.3g} to {:.3g})".format(microseconds(standing.seconds), *standing.ratio)


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
    """Error against CPU time of rate equations, a panel for each problem, each tool by its cheapest method."""
    from matplotlib.figure import Figure

    found = [one for one in record["found"] if one["kind"] == "ode"] or record["found"]
    tools = sorted({name for one in found for name, _ in shown(one)}, key=lambda name: (name != "ctcdyn", name))
    width = min(3, len(found))
    height = -(-len(found) // width)
    figure = Figure(figsize=(3.9 * width, 3.1 * height + 0.6), layout="constrained")
    panels = figure.subplots(height, width, squeeze=False).ravel()
    for axes, one in zip(panels, found):
        for name, rows in shown(one):
            k = tools.index(name)
            own = name == "ctcdyn"
            axes.plot(
                [statistics.median(row.seconds) for row in rows], [row.error for row in rows], label=name, ms=3.5,
                color="black" if own else f"C{(k - 1) % 10}", marker="*os^vDP<>Xhp"[k % 12], lw=2.0 if own else 0.9,
                zorder=3 if own else 2, ls="-" if k <= 10 else "--",
            )  # fmt: skip
        axes.set(title=f"{one['problem']}, {one['kind']}", xscale="log", xlabel="CPU s a trajectory")
        axes.set(yscale="log", ylabel="largest relative error")
        axes.grid(alpha=0.3)
    for axes in panels[len(found) :]:
        axes.axis("off")
    known = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=6, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def shown(one: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    """Each tool with the rows of its method that is cheapest at MIDDLE; of ctcdyn its own choice; all of C++."""
    rows = [row for row in rows_of(one) if row.seconds]
    best: dict[str, Standing] = {}
    for standing in standings(rows, one["kind"]):
        if standing.level not in {MIDDLE, None} or (standing.peer == "ctcdyn" and standing.method == "rodas5p"):
            continue
        name = f"C++ {standing.method}" if standing.peer == "cpp" else standing.peer
        known = best.get(name)
        if known is None or not known.seconds <= standing.seconds:
            best[name] = standing
    if ("ctcdyn", "ode") in {(row.peer, row.method) for row in rows}:
        best["ctcdyn"] = Standing("ctcdyn", "ode", MIDDLE)
    chosen = {name: (standing.peer, standing.method) for name, standing in best.items()}
    return [(name, [row for row in rows if (row.peer, row.method) == key]) for name, key in chosen.items()]
