"""Counting packed instructions: on a text of machine code, and on the kernel of a shipped model."""

from __future__ import annotations

import pytest

from commands import command, small_study
from ctcdyn.codegen import vectors
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.vectors import Count, Function, count_instructions, functions
from ctcdyn.errors import CtcError
from ctcdyn.model.load import load_model

ASSEMBLY = """
_ZN4kern5driftB2v1B44c8tJTI:
\tvmovsd\t(%rdi), %xmm0
.LBB0_1:
\tvmulpd\t(%rsi,%rax), %ymm0, %ymm1
\tvaddpd\t%ymm1, %ymm2, %ymm2
\tcmpq\t$64, %rax
\tjne\t.LBB0_1
\tjmp\t.LBB0_9
.LBB0_2:
.LBB0_3:
\tvmulsd\t(%rsi,%rax), %xmm0, %xmm1
\tjb\t.LBB0_3
\tjb\t.LBB0_2
.LBB0_9:
\tvdivpd\t%ymm1, %ymm2, %ymm2
\tretq
_ZN4kern4bareB2v2:
\tmovq\t%rax, %rbx
\tretq
_ZN4kern5fusedB2v3:
\tvfmadd213pd\t%ymm1, %ymm2, %ymm3
\tretq
"""


def test_functions_and_innermost_loops_are_told_apart() -> None:
    """Neither the outer of two nested loops nor the jump forward is a loop; `bare` has no arithmetic."""
    assert list(functions(ASSEMBLY)) == [
        Function("drift", Count(3, 1, 0), (Count(2, 0, 0), Count(0, 1, 0))),
        Function("fused", Count(0, 0, 1), ()),
    ]


def test_the_exact_process_is_packed_at_a_fixed_target() -> None:
    found = {f.name: f for f in count_instructions(link(load_model("ctc_linear"), "direct").source)}
    best = max(found["one_event"].loops, key=lambda loop: loop.packed)
    assert best.packed >= 50  # ten rates, a prefix sum, an exponential, four species to update
    assert best.scalar == 0
    assert all(f.whole.fused == 0 for f in found.values())


def test_a_module_that_does_not_compile_is_an_error_with_the_reason() -> None:
    with pytest.raises(CtcError, match="does not compile"):
        count_instructions("def run(:\n")


def test_other_machines_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors.platform, "machine", lambda: "aarch64")
    with pytest.raises(CtcError, match="aarch64"):
        count_instructions("")


def test_codegen_prints_kernel_part_path_and_counts(tmp_path: object) -> None:
    study = small_study(tmp_path)  # type: ignore[arg-type]
    code, whole, _ = command("codegen", study)
    assert code == 0
    assert "def run(" in whole
    code, part, _ = command("codegen", study, "--part", "rates")
    assert code == 0
    assert "def rate_divide(" in part
    assert "def rate_divide(" in whole
    assert "def run(" not in part
    code, _, err = command("codegen", study, "--part", "no_such")
    assert code == 2
    assert "rates" in err
    code, other, _ = command("codegen", study, "-s", "parameters.birth=0.7", "-s", "simulate.t_end=3")
    assert other == whole  # numbers are data
    code, path, _ = command("codegen", study, "--path")
    assert code == 0
    assert path.strip().endswith("kernel.py")
    code, table, _ = command("codegen", study, "--vectors")
    assert code == 0
    assert "one_event" in table
