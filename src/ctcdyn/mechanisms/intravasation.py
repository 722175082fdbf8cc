"""Intravasation: cells of the tumour break into vessels and are shed into the blood.

Cells shed per day, by the size n of the tumour:

    shedding n^size_exponent     power: about the surface, where the vessels are (K. Iwata et al. 2000, doi:10.1006/jtbi.2000.1075: 0.663)
    per_cell n                   linear

The tumour is not made smaller by it: of 1e9 cells about 4e4 leave in a day. Options:

rhythm = "circadian": most cells are shed in sleep. In 30 patients 78.3 % of the cells in samples of 4 and 10 o'clock
were in those of 4 (Z. Diamantopoulou et al. 2022, doi:10.1038/s41586-022-04875-y), and cells stay in the blood for
minutes to hours: shedding is a square wave whose sleeping level is `night_ratio` = 3.6 times the other, with a mean
of 1 over the day. t = 0 is midnight, sleep lasts `sleep` about `mid_sleep`.

bursts = "telegraph" or "ou": counts in the living mouse vary by a factor of ten within minutes to hours, beyond
Poisson (in vivo flow cytometry, doi:10.3389/fonc.2020.601085). Shedding is switched on and off (for methods that
count cells), on a share `on_share` of the time, or follows a lognormal process (for Langevin methods), both with a
mean of 1. The counts over a time longer than 1 / `pace` vary about their mean more than a Poisson variable: for a
telegraph, cleared at the rate c, their Fano factor is 1 + m (1 - on_share) / on_share c / (c + pace) at a mean m.
"""

NUMBER = 4
ACTS_ON = ("primary",)
REFUTED_BY = "Cells in a tumour's vein per day, over tumours of many sizes, do not grow with size, or counts do not differ between sleep and waking (circadian)."

MODEL = """
[options]
size = ["power", "linear"]
rhythm = ["none", "circadian"]
bursts = ["none", "telegraph", "ou"]

[species]
tumor = { unit = "cells", initial = 1, continuous = true, stage = "primary", doc = "primary tumour" }
blood = { unit = "cells", stage = "blood", doc = "circulating tumour cells, whole blood" }

[parameters]
shedding = { value = "0.0445 cells/day", bounds = ["0 cells/day", "1e3 cells/day"], source = "derived: calibrated to 9 +- 6 cells/L at 2.7 mm (doi:10.1186/1471-2407-13-283)", doc = "cells shed in a day by a tumour of one cell; times size ^ size_exponent", if = { size = "power" } }
size_exponent = { value = 0.663, bounds = [0, 1.5], source = "doi:10.1006/jtbi.2000.1075", doc = "how shedding grows with size: about the surface", if = { size = "power" } }
per_cell = { value = "4.1e-5 /day", bounds = ["0 /day", "1 /day"], source = "derived: as the power law at 1e9 cells, 4.1e4 cells a day", doc = "shedding by a cell of the tumour", if = { size = "linear" } }
night_ratio = { value = 3.6, bounds = [1, 1000], source = "doi:10.1038/s41586-022-04875-y", doc = "shedding in sleep over shedding awake", if = { rhythm = "circadian" } }
sleep = { value = "8 h", bounds = ["1 h", "23 h"], source = "assumed: a night", doc = "length of sleep", if = { rhythm = "circadian" } }
mid_sleep = { value = "3 h", bounds = ["0 h", "24 h"], source = "assumed: 23 to 7 o'clock", doc = "middle of sleep, from midnight", if = { rhythm = "circadian" } }
turn = { value = "1 day", bounds = ["0.5 days", "2 days"], source = "assumed: the day", doc = "period of the rhythm", if = { rhythm = "circadian" } }
on_share = { value = 0.2, bounds = [1e-3, 1], source = "assumed: order-of-magnitude variation in doi:10.3389/fonc.2020.601085", doc = "share of the time in which cells are shed", if = { bursts = "telegraph" } }
pace = { value = "30 /day", bounds = ["0.01 /day", "1e5 /day"], source = "assumed: minutes to hours, 10 to 50 /day", doc = "sum of the rates of switching on and off", if = { bursts = "telegraph" } }
spread = { value = 1, bounds = [0, 3], source = "assumed: order-of-magnitude variation in doi:10.3389/fonc.2020.601085", doc = "standard deviation of the logarithm", if = { bursts = "ou" } }
memory = { value = "0.8 h", bounds = ["1 min", "10 days"], source = "assumed: minutes to hours", doc = "correlation time of bursts", if = { bursts = "ou" } }

[[reaction]]
name = "shed"
equation = "primary -> primary + blood"
k = "shedding * max(primary, 1) ** (size_exponent - 1)"
fate = "shed"
if = { size = "power" }
[[reaction]]
name = "shed"
equation = "primary -> primary + blood"
k = "per_cell"
fate = "shed"
if = { size = "linear" }

[scale]
shed = { factor = "where(cos(2 * pi * (t - mid_sleep) / turn) >= cos(pi * sleep / turn), night_ratio, 1) / (1 + (night_ratio - 1) * sleep / turn)", if = { rhythm = "circadian" } }
shed_cluster = { factor = "where(cos(2 * pi * (t - mid_sleep) / turn) >= cos(pi * sleep / turn), night_ratio, 1) / (1 + (night_ratio - 1) * sleep / turn)", if = { rhythm = "circadian" } }

[[noise]]
name = "bursts"
kind = "telegraph"
parameter = "shedding"
on_fraction = "on_share"
switching = "pace"
source = "assumed: counts vary by a factor of ten within hours (doi:10.3389/fonc.2020.601085)"
if = { bursts = "telegraph", size = "power" }
[[noise]]
name = "bursts"
kind = "telegraph"
parameter = "per_cell"
on_fraction = "on_share"
switching = "pace"
source = "assumed: counts vary by a factor of ten within hours (doi:10.3389/fonc.2020.601085)"
if = { bursts = "telegraph", size = "linear" }
[[noise]]
name = "bursts"
kind = "ou"
parameter = "shedding"
sd = "spread"
time = "memory"
source = "assumed: counts vary by a factor of ten within hours (doi:10.3389/fonc.2020.601085)"
if = { bursts = "ou", size = "power" }
[[noise]]
name = "bursts"
kind = "ou"
parameter = "per_cell"
sd = "spread"
time = "memory"
source = "assumed: counts vary by a factor of ten within hours (doi:10.3389/fonc.2020.601085)"
if = { bursts = "ou", size = "linear" }
"""
