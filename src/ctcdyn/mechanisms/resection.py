"""Resection: the primary is cut out, some cells are shed, and NK cells are weak for days.

The operation takes the share `fraction` of the primary, puts `pulse` cells into the blood, and sets `surgical_stress` to 1, which decays with the mean
time `recovery`. Meanwhile NK cells kill

    nk (1 - dip surgical_stress)

times as much as normally.

`[[treatment]] use = "resection"` takes it out when the tumour has `size` cells; a study may write another `at`.

`surgical_stress` is pinned. With `direct`, which pins nothing, it is a single thing that is gone after an exponential time: the same on average.
"""

NUMBER = 24
ACTS_ON = ("primary",)
REFUTED_BY = "Blood drawn in the week after an operation kills as many tumour cells as before (NK activity), and holds no more of them than before."

MODEL = """
[species]
surgical_stress = { unit = "1", continuous = true, doc = "stress of an operation, 1 on the day" }

[parameters]
size = { value = "4.19e9 cells", bounds = ["1 cells", "1e13 cells"], source = "derived: a sphere of 20 mm at 1e9 cells/cm3", doc = "primary at which the operation is done" }
fraction = { value = 1, bounds = [0, 1], source = "assumed: all of it", doc = "share of the primary that an operation takes" }
pulse = { value = "1000 cells", bounds = ["0 cells", "1e9 cells"], source = "assumed: an hour of shedding at 20 mm", doc = "cells shed by the operation itself" }
dip = { value = 0.5, bounds = [0, 1], source = "assumed: half", doc = "share of NK killing that is missing on the day" }
recovery = { value = "7 days", bounds = ["0.1 days", "365 days"], source = "assumed: 3 to 14 days", doc = "mean time until NK cells are back" }

[[reaction]]
name = "recover"
equation = "surgical_stress ->"
k = "1 / recovery"

[scale]
nk = "max(1 - dip * surgical_stress, 0)"

[treatment]
at = "tumor >= size"
set = { tumor = "(1 - fraction) * tumor", blood = "blood + pulse", surgical_stress = 1 }
"""
