"""The work of `ctcdyn bench` by the source of another commit: a process that says what it has and does it when asked.

    python -P served.py        with PYTHONPATH at that commit's source

It runs with that commit's packages, so it takes from them only what `ctcdyn bench` has had from the start:
`workloads()` with name, unit, source and run of each. Lines of JSON on stdout: first all work, then for each number on
stdin what one run of it took.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no answer

    def say(what: Any) -> None:
        print(json.dumps(what), file=answers, flush=True)

    from ctcdyn.cli.workloads import workloads
    from ctcdyn.codegen import cache

    work = [one for one in workloads() if one.source is not None]
    say([{"name": x.name, "unit": x.unit, "source": x.source, "key": cache.key_of(x.source)} for x in work])
    for line in sys.stdin:
        done = work[int(line)].run()
        say({"seconds": done.seconds, "units": done.units})


if __name__ == "__main__":
    main()
