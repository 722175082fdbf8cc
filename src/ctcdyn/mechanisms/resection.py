"""Resection: the primary is cut out, some cells are shed, and NK cells are weak for days.

The operation takes the share `fraction` of the primary and sets two levels to 1: `open_vessels`, which closes with the mean time `closing` and sheds
`pulse` cells meanwhile, at the rate pulse open_vessels / closing (as cells are shed, with the flags of shed cells), and `surgical_stress`, which decays with the mean
time `recovery` while NK cells kill

    nk (1 - dip surgical_stress)

times as much as normally.

`[[treatment]] use = "resection"` takes the primary out when the tumour has `size` cells; a study may write another `at`.

Both levels are pinned. With `direct`, which pins nothing, each is a single thing that is gone after an exponential time: the same on average.
"""

NUMBER = 24
ACTS_ON = ("primary",)
REFUTED_BY = "Blood drawn in the week after an operation kills as many tumour cells as before (NK activity), and holds no more of them than before."

MODEL = """
[species]
open_vessels = { unit = "1", continuous = true, doc = "vessels that an operation opened, 1 at once" }
surgical_stress = { unit = "1", continuous = true, doc = "stress of an operation, 1 on the day" }

[parameters]
size = { value = "4.19e9 cells", bounds = ["1 cells", "1e13 cells"], source = "derived: a sphere of 20 mm at 1e9 cells/cm3", doc = "primary at which the operation is done" }
fraction = { value = 1, bounds = [0, 1], source = "assumed: all of it", doc = "share of the primary that an operation takes" }
pulse = { value = "1000 cells", bounds = ["0 cells", "1e9 cells"], source = "assumed: an hour of shedding at 20 mm", doc = "cells shed by the operation itself" }
closing = { value = "1 h", bounds = ["1 min", "10 days"], source = "assumed: the length of an operation", doc = "mean time until the vessels are closed" }
dip = { value = 0.5, bounds = [0, 1], source = "assumed: half", doc = "share of NK killing that is missing on the day" }
recovery = { value = "7 days", bounds = ["0.1 days", "365 days"], source = "assumed: 3 to 14 days", doc = "mean time until NK cells are back" }

[[reaction]]
name = "shed_by_surgery"
process = "shed"
equation = "-> blood"
rate = "pulse * open_vessels / closing"
fate = "shed"
[[reaction]]
name = "close"
equation = "open_vessels ->"
k = "1 / closing"
[[reaction]]
name = "recover"
equation = "surgical_stress ->"
k = "1 / recovery"

[scale]
nk = "max(1 - dip * surgical_stress, 0)"

[treatment]
at = "tumor >= size"
set = { tumor = "(1 - fraction) * tumor", open_vessels = 1, surgical_stress = 1 }
"""
