"""Fate in tissue: of the cells that left a vessel most die, many fall asleep, few begin to grow.

A cell that left a vessel decides after `stay` on average, by competing exponential times:

    tissue ->             (1 - p_dormant - p_growing) / stay
    tissue -> dormant     p_dormant / stay
    tissue -> growing     p_growing / stay

so that it dies, sleeps or grows with these chances while nothing else acts on it. A cluster that leaves its vessel, at the rate `cluster_leaves`, founds
one metastasis with all its cells with the chance p_cluster, or falls apart into single cells of which each decides for itself.

Of cells injected into the mouse's liver 36 % slept alone after 13 days, and one in 40 of those that had left the vessels began to grow (K. Luzzi et al.
1998, doi:10.1016/S0002-9440(10)65628-3). In man about one shed cell in 6e7 founds a metastasis (F. Coumans et al. 2013,
doi:10.1186/1471-2407-13-283), to which p_growing is set.
"""

NUMBER = 16
ACTS_ON = ("tissue", "arrested", "arrested_cluster", "blood")
REFUTED_BY = "Two weeks after labelled cells left the vessels all of them divide: none is found alone and without Ki67."

MODEL = """
[species]
tissue = { unit = "cells", stage = "tissue", doc = "cells that left a vessel and have not decided" }
dormant = { unit = "cells", stage = "dormant", doc = "sleeping single cells" }
growing = { unit = "cells", stage = "growing", doc = "cells of all growing metastases" }

[parameters]
stay = { value = "3 days", bounds = ["0.01 days", "100 days"], source = "assumed: fate decided within days (mouse liver, doi:10.1016/S0002-9440(10)65628-3)", doc = "mean time until a cell in tissue has decided" }
p_dormant = { value = 0.2, bounds = [0, 1], source = "assumed: half of the 45 % seen in mouse liver (doi:10.1016/S0002-9440(10)65628-3)", doc = "chance of a cell in tissue to fall asleep" }
p_growing = { value = 5e-5, bounds = [0, 1], source = "derived: calibrated to 1.5e-8 metastases per shed cell, 1.3e-8 to 4.2e-8 in doi:10.1186/1471-2407-13-283", doc = "chance of a cell in tissue to grow at once" }
p_cluster = { value = 5e-5, bounds = [0, 1], source = "assumed: as a single cell, so that what sets clusters apart is their way here and their number", doc = "chance of a cluster that left its vessel to found a metastasis with all its cells" }
cluster_leaves = { value = "0.05 /day", bounds = ["0 /day", "100 /day"], source = "derived: an end of the stay in the vessel of 1 /day times a chance of 0.05 to leave it alive, 50 times a single cell's as 2.5e-2 to 5e-4 in doi:10.1007/s11538-019-00597-x", doc = "arrested clusters that leave their vessel alive" }

[[reaction]]
name = "die_in_tissue"
equation = "tissue ->"
k = "max(1 - p_dormant - p_growing, 0) / stay"
fate = "died_in_tissue"
[[reaction]]
name = "sleep"
equation = "tissue -> dormant"
k = "p_dormant / stay"
fate = "asleep"
[[reaction]]
name = "settle"
equation = "tissue -> growing"
k = "p_growing / stay"
fate = "founded"
[[reaction]]
name = "settle_together"
equation = "arrested_cluster -> members growing"
k = "p_cluster * cluster_leaves"
fate = "founded"
[[reaction]]
name = "scatter"
equation = "arrested_cluster -> members tissue"
k = "(1 - p_cluster) * cluster_leaves"
fate = "extravasated"
"""
