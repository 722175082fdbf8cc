"""Arrest and extravasation: cells are caught in capillaries, and few leave them alive.

    blood -> arrested       arrest              (clusters: arrest_cluster)
    arrested ->             lodged              death in the vessel of what is not told apart
    arrested -> tissue      extravasate
    arrested -> blood       reenter             reentry = "on"

Arrest and all deaths in the blood together end a stay there: 18 of 36 a day, half of single cells in 27.5 minutes,
half of clusters in 6 to 10 (N. Aceto et al. 2014, doi:10.1016/j.cell.2014.07.013, mouse). An arrest ends within a day
on average: NK cells kill 0.6 a day, T cells 0.1, `lodged` is 0.299, and one in 1000 leaves the vessel. So one shed
cell in 2000 reaches tissue (L. Franssen et al. 2019, doi:10.1007/s11538-019-00597-x). In mouse liver and in the chick
embryo it was four of five (K. Luzzi et al. 1998, doi:10.1016/S0002-9440(10)65628-3; S. Koop et al. 1995): set
`extravasate` for these.

Which organ a cell is caught in is not told apart here: the passages through lung, liver and other beds take seconds,
and a model of them (the haematogenous network) splits what arrests; here stands what a body does as a whole.

How clusters leave their vessel stands in fate_in_tissue: they are in tissue at once, with all their cells.
"""

NUMBER = 15
ACTS_ON = ("blood", "cluster", "arrested")
REFUTED_BY = "Cells in a capillary, filmed for a day, leave it into the tissue no more often than they are washed on or die there."

MODEL = """
[options]
reentry = ["off", "on"]

[species]
arrested = { unit = "cells", stage = "arrested", doc = "cells caught in a capillary" }
tissue = { unit = "cells", stage = "tissue", doc = "cells that left a vessel and have not decided" }

[parameters]
arrest = { value = "18 /day", bounds = ["0 /day", "1e5 /day"], source = "derived: half of 36 losses a day, ln 2 / 27.5 min (mouse, doi:10.1016/j.cell.2014.07.013)", doc = "arrest of a single cell" }
arrest_cluster = { value = "119 /day", bounds = ["0 /day", "1e5 /day"], source = "derived: with 6 deaths a day half of clusters in 8 minutes, 6 to 10 (mouse, doi:10.1016/j.cell.2014.07.013)", doc = "arrest of a cluster" }
extravasate = { value = "1e-3 /day", bounds = ["0 /day", "1e3 /day"], source = "derived: 5e-4 of shed cells reach tissue (doi:10.1007/s11538-019-00597-x), half of which arrest", doc = "a single cell leaves its vessel" }
lodged = { value = "0.299 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: the rest of 1 /day, the end of an arrest, beside NK and T cells", doc = "death of an arrested cell of what is not told apart" }
lodged_cluster = { value = "0.73 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: the rest of 1 /day, the end of an arrest, beside NK and T cells", doc = "death of an arrested cluster of what is not told apart" }
reenter = { value = "1 /day", bounds = ["0 /day", "1e5 /day"], source = "assumed: as often as an arrest ends otherwise", doc = "an arrested cell is washed back into the blood", if = { reentry = "on" } }

[[reaction]]
name = "arrest"
equation = "blood -> arrested"
k = "arrest"
fate = "arrested"
[[reaction]]
name = "arrest_cluster"
equation = "cluster -> arrested_cluster"
k = "arrest_cluster"
fate = "arrested"
[[reaction]]
name = "extravasate"
equation = "arrested -> tissue"
k = "extravasate"
fate = "extravasated"
[[reaction]]
name = "reenter"
equation = "arrested -> blood"
k = "reenter"
if = { reentry = "on" }

[[hazard]]
name = "lodged"
at = { arrested = "lodged", arrested_cluster = "lodged_cluster" }
fate = "lodged"
"""
