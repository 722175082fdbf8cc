"""R deSolve with the rates compiled from C, its fastest documented form: the loop over trajectories runs in R."""

import json
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ()
SYSTEM = ("Rscript", "gcc")
SOLVES = {"ode": ("lsoda", "vode")}
FOLDER = tempfile.TemporaryDirectory()
FRESH = count()  # numbers of files
PROGRAM = Path(FOLDER.name) / "serve.R"
# orders: FILE method tolerance paths -> CPU seconds and "good"
R = """
if (!requireNamespace("deSolve", quietly = TRUE)) { cat("R has no deSolve\\n"); quit(status = 1) }
library(deSolve)
cat("deSolve", as.character(packageVersion("deSolve")), "R", as.character(getRversion()), "\\n")
input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  o <- strsplit(line, " ")[[1]]
  name <- o[1]; method <- o[2]; tol <- as.numeric(o[3]); paths <- o[4] == "yes"; n <- as.integer(o[5])
  if (!is.loaded("slope", PACKAGE = basename(name))) dyn.load(paste0(name, ".so"))
  sizes <- readBin(paste0(name, ".sizes"), "integer", 3)
  times <- readBin(paste0(name, ".times"), "double", sizes[1])
  start <- readBin(paste0(name, ".start"), "double", sizes[2])
  values <- matrix(readBin(o[6], "double", n * sizes[3]), ncol = n)
  out <- if (paths) file(paste0(o[6], ".out"), "wb") else NULL
  began <- proc.time(); good <- TRUE
  for (i in seq_len(n)) {
    found <- ode(start, times, "slope", values[, i], method = method, rtol = tol, atol = tol, dllname = basename(name),
                 initfunc = "begin", maxsteps = 1000000L)
    if (nrow(found) < sizes[1] || attr(found, "istate")[1] < 0) { good <- FALSE; break }
    if (paths) writeBin(as.vector(t(unclass(found)[, -1])), out)
  }
  spent <- proc.time() - began
  if (paths) close(out)
  cat(sprintf("%.6f %s\\n", spent[[1]] + spent[[2]], if (good) "good" else "failed"))
}
"""
C = """#include <math.h>
static double given_[%d];
void begin(void (*take)(int *, double *)) { int n = %d; take(&n, given_); }
void slope(int *n_, double *t_, double *state_, double *slope_, double *out_, int *ip_) {
%s}
"""
running: dict[str, object] = {}


def r() -> tuple[subprocess.Popen, str]:
    """The R process, which stays, and its versions."""
    if not running:
        PROGRAM.write_text(R, encoding="utf-8")
        command = ["Rscript", "--vanilla", str(PROGRAM)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running["process"] = process
        running["versions"] = process.stdout.readline().strip()
        if process.poll() is not None or not running["versions"].startswith("deSolve"):
            raise RuntimeError(f"{running.pop('versions')}: see peers/README.md")
    return running["process"], running["versions"]


def prepare(task: Task):
    process, _ = r()
    base = Path(FOLDER.name) / task.problem["name"]
    if not base.with_suffix(".so").exists():
        size = len(task.names)
        base.with_suffix(".c").write_text(C % (size, size, task.c()), encoding="utf-8")
        command = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", f"{base}.so", f"{base}.c", "-lm"]
        subprocess.run(command, check=True)
        np.array([len(task.times), len(task.species), size], dtype=np.int32).tofile(f"{base}.sizes")
        task.times.tofile(f"{base}.times")
        task.start.tofile(f"{base}.start")
    values = str(Path(FOLDER.name) / f"values{next(FRESH)}")
    task.values.tofile(values)
    order = " ".join(
        [str(base), task.method, repr(task.setting), "yes" if task.paths else "no", str(task.count), values]
    )

    def work() -> Answer:
        print(order, file=process.stdin, flush=True)
        said = process.stdout.readline().split()
        if len(said) != 2 or said[1] != "good":
            raise RuntimeError(f"{task.method} failed {json.dumps(said)}")
        found = None
        if task.paths:
            found = np.fromfile(f"{values}.out").reshape(task.count, len(task.times), len(task.species))
        return found, {"trajectories": task.count, "seconds": float(said[0])}

    return work


def versions() -> str:
    return r()[1]


if __name__ == "__main__":
    serve(prepare, versions)
