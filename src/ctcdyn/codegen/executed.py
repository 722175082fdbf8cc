"""How many instructions a call of a kernel executes: counted by callgrind, one by one, whatever else the machine does.

The kernel's machine code and the memory that it works on are written to files, and a small process under valgrind
calls it (`called.py`). Counting begins and ends inside a wrapper, so that neither Python nor the start of anything is
counted. That the right work was counted is seen from the memory that it leaves behind.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen import called
from ctcdyn.errors import CtcError, Problem

PAGE = 4096
# Requests of callgrind to programs that it looks at (its manual, "Client request reference"; numbers: callgrind.h)
_TOOL = ord("C") << 24 | ord("T") << 16
_DUMP, _COLLECT, _START = _TOOL, _TOOL + 2, _TOOL + 4
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)
_REQUEST = """
define internal void @request(i64 %what) noinline {
  %told = alloca [6 x i64]
  store [6 x i64] zeroinitializer, ptr %told
  store i64 %what, ptr %told
  %given = call i64 asm sideeffect
    "rolq $$3, %rdi\\0Arolq $$13, %rdi\\0Arolq $$61, %rdi\\0Arolq $$51, %rdi\\0Axchgq %rbx, %rbx",
    "={dx},{ax},0,~{rdi},~{cc},~{memory}"(ptr %told, i64 0)
  ret void
}
"""


@dataclass(frozen=True)
class MachineCode:
    """An entry point as it was compiled. `outside`: names that it takes from elsewhere."""

    assembly: str
    elf: bytes
    symbol: str
    outside: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """One call of an entry point that gives a whole number; the arrays are C-contiguous and are not written to."""

    code: MachineCode
    arguments: Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Executed:
    """Instructions of one call, and the arrays as it left them."""

    instructions: int
    arguments: list[NDArray[Any]]


def machine_code(function: Any) -> MachineCode:
    """Of an entry point that was compiled in this process, not loaded from the cache."""
    signature = function.signatures[0]
    compiled = function.overloads[signature]
    module = compiled.library._final_module
    outside = tuple(sorted(x.name for x in module.functions if x.is_declaration and not x.name.startswith("llvm.")))
    assembly = function.inspect_asm(signature)
    return MachineCode(assembly, compiled.library._get_compiled_object(), compiled.fndesc.llvm_func_name, outside)


def why_not() -> str | None:
    """Why instructions cannot be counted here; None: they can."""
    return None if shutil.which("valgrind") else "valgrind is not installed"


def executed(calls: Sequence[Call]) -> list[Executed]:
    """Each call, one after the other in one process under callgrind.

    The code has to be that of a processor that valgrind knows: without AVX-512. Raises CtcError (S605) where a call
    cannot be made.
    """
    import llvmlite

    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "calls", Path(scratch) / "out"
        for number, one in enumerate(calls):
            _write(one, folder / str(number))
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no"]
        command += [f"--callgrind-out-file={out}"]
        command += [sys.executable, "-I", "-S", called.__file__, str(folder), str(Path(llvmlite.__file__).parents[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = [Path(f"{out}.{number + 1}") for number in range(len(calls))]
        if done.returncode or not all(path.exists() for path in found):
            raise CtcError(Problem("S605", f"instructions could not be counted: {done.stderr.strip()[-2000:]}"))
        return [
            Executed(_total(path.read_text(encoding="utf-8")), _arrays(one, (folder / str(k) / "after").read_bytes()))
            for k, (path, one) in enumerate(zip(found, calls, strict=True))
        ]


def _total(report: str) -> int:
    total = _TOTALS.search(report)
    if total is None:
        raise CtcError(Problem("S605", "callgrind's report has no total"))
    return int(total.group(1))


def _write(one: Call, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "kernel.o").write_bytes(one.code.elf)
    places = _places(one)
    end = places[-1] + PAGE
    words: list[tuple[str, int]] = [("at", end), ("at", end + PAGE)]  # where the result goes, and an error
    memory = bytearray(end + 2 * PAGE)
    for start, array in zip(places, one.arguments, strict=False):
        memory[start : start + array.nbytes] = array.tobytes()
        words += [("is", 0), ("is", 0), ("is", array.size), ("is", array.itemsize), ("at", start)]
        words += [("is", n) for n in (*array.shape, *array.strides)]
    (folder / "before").write_bytes(memory)
    told = {"outside": one.code.outside, "arguments": words}
    (folder / "call.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "counted.o").write_bytes(_wrapper(one.code.symbol, len(words)))


def _places(one: Call) -> list[int]:
    """Where each array begins, at a page, and where the last one ends."""
    pages = [-(-max(array.nbytes, 1) // PAGE) for array in one.arguments]
    return [int(PAGE * n) for n in np.cumsum([0, *pages])]


def _arrays(one: Call, memory: bytes) -> list[NDArray[Any]]:
    return [
        np.frombuffer(memory, array.dtype, array.size, start).reshape(array.shape)
        for start, array in zip(_places(one), one.arguments, strict=False)
    ]


def _wrapper(symbol: str, words: int) -> bytes:
    """Object code of a function with so many words as arguments: begin to count, call, end, write a report."""
    import llvmlite.binding as llvm

    types, names = ", ".join(["i64"] * words), ", ".join(f"i64 %a{k}" for k in range(words))
    text = f"""
declare i32 @"{symbol}"({types})
{_REQUEST}
define i32 @{called.WRAPPER}({names}) {{
  call void @request(i64 {_START})
  call void @request(i64 {_COLLECT})
  %code = call i32 @"{symbol}"({names})
  call void @request(i64 {_COLLECT})
  call void @request(i64 {_DUMP})
  ret i32 %code
}}
"""
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    machine = llvm.Target.from_default_triple().create_target_machine(codemodel="large", cpu="x86-64-v3")
    module = llvm.parse_assembly(text)
    module.verify()
    return bytes(machine.emit_object(module))
