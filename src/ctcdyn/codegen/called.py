"""What callgrind looks at: kernels called from their object files, without numba, numpy or anything else of ours.

    python -I -S called.py FOLDER PACKAGES

FOLDER has one folder for each kernel, "0", "1" and so on, as `executed.py` writes them; PACKAGES is where llvmlite
lies. Under valgrind all takes many times as long, so nothing is imported that is not needed.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path

WRAPPER = "counted"  # symbol of what begins and ends the counting, around the kernel


def call(folder: Path) -> None:
    """Call the kernel of a folder once, on the memory in `before`, and write that memory to `after`."""
    import llvmlite.binding as llvm

    told = json.loads((folder / "call.json").read_text(encoding="utf-8"))
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    for name in told["outside"]:  # what only numba's own functions need, which are not called
        if llvm.address_of_symbol(name) is None:
            llvm.add_symbol(name, ctypes.cast(never, ctypes.c_void_p).value)
    for file in ("kernel.o", "counted.o"):
        engine.add_object_file(llvm.ObjectFileRef.from_path(str(folder / file)))
    engine.finalize_object()
    with (folder / "before").open("rb") as stream:
        memory = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    given = [base + number if kind == "at" else number for kind, number in told["arguments"]]
    wrapper = ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_int64 for _ in given))
    if wrapper(engine.get_function_address(WRAPPER))(*given):
        raise SystemExit("the kernel raised an error")
    (folder / "after").write_bytes(memory)


def _never() -> None:
    print("the kernel called what is not there", file=sys.stderr)
    os.abort()


never = ctypes.CFUNCTYPE(None)(_never)


if __name__ == "__main__":
    sys.path.append(sys.argv[2])
    import llvmlite.binding

    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    for one in sorted(Path(sys.argv[1]).iterdir(), key=lambda path: int(path.name)):
        call(one)
