"""NK cells: they kill circulating, arrested and settled cells at once, without learning.

Each cell is killed at the rate

    blood N/N0, arrested N/N0, tissue N/N0, dormant N/N0, growing N/N0 / (1 + cells / saturation)

by where it is, times the protections that it carries (a platelet cloak, hiding, a cluster). N/N0 is the number of NK
cells relative to normal, so that figures of mice and of men do not mix. Circulating tumour cells, at most 1e4, are
always few beside 1e9 NK cells: only growing metastases saturate them.

pool = "constant": N/N0 = activity. pool = "dynamic": NK cells arise, die, are recruited by growing metastases and
exhausted by them (L. de Pillis et al. 2005, doi:10.1158/0008-5472.CAN-05-0564, for mice):

    dN/dt = source activity - death N + recruitment T^2 / (recruiting_size^2 + T^2) N - exhaustion T N        N0 = source / death

with T the growing cells of the patient's pool (metastases that are lesions act on NK cells through nothing: none). A
boost or a dip after surgery scales `activity`, and N follows within 1 / death = 24 days; for a quick change take pool
= "constant".

The 8 of 36 losses a day in the blood are assumed, as the rates behind it; that they are large is known: without NK
cells or with cells that platelets cloak many more settle (J. Palumbo et al. 2005, doi:10.1182/blood-2004-06-2272).
Without NK cells (36 / 28) / (1 - 0.6) = 3.2 times as many cells extravasate.
"""

NUMBER = 8
ACTS_ON = ("blood", "arrested", "tissue", "cluster", "dormant", "growing", "lesion")
REFUTED_BY = "Depleting NK cells (anti-asialo GM1) leaves the number of extravasated cells as it was."

MODEL = """
[options]
pool = ["constant", "dynamic"]

[species]
nk = { unit = "cells", initial = "source / death", continuous = true, doc = "NK cells", if = { pool = "dynamic" } }

[parameters]
kill_rate = { value = "8 /day", bounds = ["0 /day", "1e4 /day"], source = "assumed: 8 of 36 losses a day", doc = "killing of a cell in the blood" }
kill_arrested = { value = "0.6 /day", bounds = ["0 /day", "1e4 /day"], source = "assumed: 0.6 of the end of an arrest a day", doc = "killing of a cell arrested in a capillary" }
kill_tissue = { value = "0.05 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: few NK cells are outside of vessels", doc = "killing of a cell in tissue" }
kill_dormant = { value = "2e-3 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: of a sleeping cell that does not hide", doc = "killing of a sleeping cell without protection" }
kill_growing = { value = "2e-3 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: as of sleeping cells", doc = "killing of a growing cell while these are few" }
saturation = { value = "1e6 cells", bounds = ["1 cells", "1e12 cells"], source = "assumed: about the NK cells near metastases", doc = "growing cells that halve the killing of each" }
activity = { value = 1, bounds = [0, 100], source = "assumed: normal", doc = "NK cells, or where they are dynamic their source, relative to normal" }
source = { value = "1.3e4 cells/day", bounds = ["1e-3 cells/day", "1e12 cells/day"], source = "doi:10.1158/0008-5472.CAN-05-0564", doc = "NK cells that arise in a day (mouse)", if = { pool = "dynamic" } }
death = { value = "0.0412 /day", bounds = ["1e-4 /day", "10 /day"], source = "doi:10.1158/0008-5472.CAN-05-0564", doc = "death of an NK cell (mouse)", if = { pool = "dynamic" } }
recruitment = { value = "0.025 /day", bounds = ["0 /day", "0.04 /day"], source = "doi:10.1158/0008-5472.CAN-05-0564", doc = "largest growth of NK cells by recruitment (mouse); below their death", if = { pool = "dynamic" } }
recruiting_size = { value = "4494 cells", bounds = ["1 cells", "1e12 cells"], source = "derived: the root of 2.02e7 cells2 (doi:10.1158/0008-5472.CAN-05-0564)", doc = "growing cells that recruit at half of it (mouse)", if = { pool = "dynamic" } }
exhaustion = { value = "1e-7 /cells/day", bounds = ["0 /cells/day", "1 /cells/day"], source = "doi:10.1158/0008-5472.CAN-05-0564", doc = "loss of NK cells to a growing cell (mouse)", if = { pool = "dynamic" } }

[[hazard]]
name = "nk"
at = { blood = "kill_rate * activity", arrested = "kill_arrested * activity", tissue = "kill_tissue * activity", dormant = "kill_dormant * activity", growing = "kill_growing * activity / (1 + growing / saturation)", lesion = "kill_growing * activity / (1 + lesion / saturation)" }
fate = "nk"
if = { pool = "constant" }
[[hazard]]
name = "nk"
at = { blood = "kill_rate * nk * death / source", arrested = "kill_arrested * nk * death / source", tissue = "kill_tissue * nk * death / source", dormant = "kill_dormant * nk * death / source", growing = "kill_growing * nk * death / source / (1 + growing / saturation)", lesion = "kill_growing * nk * death / source / (1 + lesion / saturation)" }
fate = "nk"
if = { pool = "dynamic" }

[[reaction]]
name = "nk_arise"
equation = "-> nk"
rate = "source * activity"
if = { pool = "dynamic" }
[[reaction]]
name = "nk_die"
equation = "nk ->"
k = "death"
if = { pool = "dynamic" }
[[reaction]]
name = "nk_recruit"
equation = "nk -> 2 nk"
k = "recruitment * hill(growing, recruiting_size, 2)"
if = { pool = "dynamic" }
[[reaction]]
name = "nk_exhaust"
equation = "nk ->"
k = "exhaustion * growing"
if = { pool = "dynamic" }
"""
