"""A sample: whole cells found where `expr` of them are expected, drawn anew at each save.

`[observables] tube = { use = "sample", expr = "blood * tube_volume / blood_volume", recovery = 0.8, unit = "cells" }`.
The count is Poisson with the mean `expr` times `recovery` (the share that isolation keeps) times `visibility` (the
share that the reader can see). With a `dispersion` d the mean of a sample is itself gamma distributed, with a
coefficient of variation of sqrt(d), so that the variance of the count is mean + d mean^2: isolation and reading that
go better in one sample than in another. A draw is a function of (seed, patient, name, time of the save), so other save
times, arms and observables do not move it, and arms whose means differ are paired.
"""

OPTIONS = {"expr": "expression", "recovery": "share", "visibility": "share", "dispersion": "spread"}
REALISED = "sample"
