"""Clusters: cells that travel in groups, shed as groups, and found metastases with all their cells.

Of what a tumour sheds the share `share` are groups (about 3 %, N. Aceto et al. 2014, doi:10.1016/j.cell.2014.07.013),
of 2 + a geometric number of cells with the mean 4: 49 % have 2 to 4, 34 % have 5 to 9, 17 % more. They stand for
three sizes, 3, 7 and 14 cells, which keep the mean (6.2 for 6).

Groups form in the tumour and not in the blood (Aceto: of two colours seeded together nearly all groups are mixed, of
two tumours of one colour each nearly none). They arrest soon: half within 6 to 10 minutes, singles in 25 to 30
(Aceto). Shear, anoikis and NK cells harm them less: without NK cells metastases of one clone become more, those of
several do not (H. Lo et al. 2020, doi:10.1038/s43018-020-0068-9). All hazards of the blood and of arrested cells act
on them as well, times these factors; one death is that of the group.

In the blood each cell may come off, at the rate `coming_off` a day: large groups become middle ones and 7 single
cells, these small ones and 4, these 3 single cells, at rates that keep the number of cells that come off. What
becomes of an arrested group: arrest_and_extravasation, fate_in_tissue.

law says by which law of size the tumour sheds them: that of intravasation (its options "power", "linear"), or "own"
for a model with a shedding of its own, or one that sheds clusters alone. A tumour that sheds nothing has intravasation
with a `shedding` of 0.
"""

NUMBER = 12
ACTS_ON = ("primary",)
REFUTED_BY = "As many metastases arise from a thousand single cells as from the same thousand in groups."

MODEL = """
[options]
law = ["power", "linear", "own"]

[species]
blood = { unit = "cells", stage = "blood", doc = "circulating tumour cells, whole blood" }
cluster_small = { unit = "cells", stage = "cluster", cells = 3, doc = "clusters of 2 to 4 cells in the blood" }
cluster_medium = { unit = "cells", stage = "cluster", cells = 7, doc = "clusters of 5 to 9 cells in the blood" }
cluster_large = { unit = "cells", stage = "cluster", cells = 14, doc = "clusters of 10 cells and more in the blood" }
arrested_cluster_small = { unit = "cells", stage = "arrested_cluster", cells = 3, doc = "clusters of 2 to 4 cells in a capillary" }
arrested_cluster_medium = { unit = "cells", stage = "arrested_cluster", cells = 7, doc = "clusters of 5 to 9 cells in a capillary" }
arrested_cluster_large = { unit = "cells", stage = "arrested_cluster", cells = 14, doc = "clusters of 10 cells and more in a capillary" }

[parameters]
share = { value = 0.03, bounds = [0, 0.99], source = "doi:10.1016/j.cell.2014.07.013", doc = "groups among what is shed" }
small = { value = 0.488, bounds = [0, 1], source = "derived: 2 + geometric, mean 6: 1 - 0.8^3", doc = "groups of 2 to 4 cells among groups" }
large = { value = 0.168, bounds = [0, 1], source = "derived: 2 + geometric, mean 6: 0.8^8", doc = "groups of 10 cells and more among groups" }
shedding = { value = "1.4e-3 cells/day", bounds = ["0 cells/day", "100 cells/day"], source = "derived: 3 % of what a tumour of one cell sheds", doc = "groups shed in a day by a tumour of one cell; times size ^ size_exponent", if = { law = "own" } }
size_exponent = { value = 0.663, bounds = [0, 1.5], source = "doi:10.1006/jtbi.2000.1075", doc = "how their shedding grows with size", if = { law = "own" } }
coming_off = { value = "0.5 /day", bounds = ["0 /day", "1e4 /day"], source = "doi:10.1007/s11538-019-00597-x", doc = "a cell of a group comes off" }
shear = { value = 0.5, bounds = [0, 1], source = "assumed: half", doc = "death of a group by shear, relative to a cell" }
anoikis = { value = 0.1, bounds = [0, 1], source = "assumed: its cells hold on to each other", doc = "death of a group by anoikis, relative to a cell" }
nk = { value = 0.2, bounds = [0, 1], source = "assumed: as direction in doi:10.1038/s43018-020-0068-9", doc = "death of a group by NK cells, relative to a cell" }

[stage.cluster]
like = "blood"
factors = { shear = "shear", anoikis = "anoikis", nk = "nk" }
[stage.arrested_cluster]
like = "arrested"
factors = { nk = "nk" }

[[reaction]]
name = "shed_cluster_small"
process = "shed_cluster"
equation = "primary -> primary + cluster_small"
k = "small"
fate = "shed"
[[reaction]]
name = "shed_cluster_medium"
process = "shed_cluster"
equation = "primary -> primary + cluster_medium"
k = "max(1 - small - large, 0)"
fate = "shed"
[[reaction]]
name = "shed_cluster_large"
process = "shed_cluster"
equation = "primary -> primary + cluster_large"
k = "large"
fate = "shed"

[[scale.shed_cluster]]
factor = "intravasation_shedding * share / (1 - share) * max(primary, 1) ** (intravasation_size_exponent - 1)"
if = { law = "power" }
[[scale.shed_cluster]]
factor = "intravasation_per_cell * share / (1 - share)"
if = { law = "linear" }
[[scale.shed_cluster]]
factor = "shedding * max(primary, 1) ** (size_exponent - 1)"
if = { law = "own" }

[[reaction]]
name = "disaggregate_large"
process = "disaggregate"
equation = "cluster_large -> cluster_medium + 7 blood"
k = "14 / 7 * coming_off"
[[reaction]]
name = "disaggregate_medium"
process = "disaggregate"
equation = "cluster_medium -> cluster_small + 4 blood"
k = "7 / 4 * coming_off"
[[reaction]]
name = "disaggregate_small"
process = "disaggregate"
equation = "cluster_small -> 3 blood"
k = "coming_off"
"""
