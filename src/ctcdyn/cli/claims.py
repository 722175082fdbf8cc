"""The right to write the output of a run, taken before its model is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctcdyn.config import Override
    from ctcdyn.store import Lock


def claim_early(
    study_file: Path, changes: Sequence[str | Override], shard: tuple[int, int], named: bool, replaces: bool
) -> tuple[list[str | Override], Lock | None]:
    """The changes, with the name of the output of a shard, and its lock: of many starters all but one are told at once.

    A second starter is refused (R510) before models are imported. Whatever else is wrong is told later, with
    what the model says: the lock is then None. `named`: whether the command named the output.
    """
    from ctcdyn.config import output_of
    from ctcdyn.errors import CtcError
    from ctcdyn.store import claim

    changes = list(changes)
    output, (i, n) = output_of(study_file, changes), shard
    if output is None:
        return changes, None
    if n > 1 and not named:
        output = output.with_name(f"{output.stem}.shard-{i:0{len(str(n))}d}-of-{n}{output.suffix}")
        changes.append(f"output.file={json.dumps(str(output), ensure_ascii=False)}")
    try:
        return changes, claim(output, replaces)
    except CtcError as error:
        if any(problem.code == "R510" for problem in error.problems):
            raise
        return changes, None
