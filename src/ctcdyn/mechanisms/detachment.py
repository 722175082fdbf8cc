"""Detachment: a cell must lose the grip of its neighbours before it can leave.

Cells of the tumour's edge let go of their neighbours and are caught again. With `hold` = catching / letting go at the
grip (E-cadherin) at which shedding was measured, and catching that grows with the grip as grip^bonds, the loose share
is, since both are fast beside shedding,

    loose(grip) = 1 / (1 + hold grip^bonds)

Single cells leave in proportion to it. A group leaves when its edge is loose and its cells hold each other:

    single cells   x loose(grip) / loose(1)
    groups         x loose(grip) (1 - loose(grip)) / (loose(1) (1 - loose(1)))

so that without any grip (1 + hold) times as many single cells leave and no groups, and with a strong grip nothing
leaves. grip = 1 changes nothing: set it in [mechanisms], draw it, or scale `detachment_grip` by a treatment.

Sources: tumours of mice without E-cadherin invade more, and seed less (V. Padmanaban et al. 2019,
doi:10.1038/s41586-019-1526-3). The law is that of a bond in equilibrium; its two figures are assumed.
"""

NUMBER = 2
ACTS_ON = ("primary",)
REFUTED_BY = "Knocking out E-cadherin leaves the number of single cells and the share of groups among what a tumour sheds as they were."

MODEL = """
[parameters]
grip = { value = 1, bounds = [0, 100], source = "assumed: as in the tumours in which shedding was measured", doc = "grip between cells of the tumour, relative" }
hold = { value = 9, bounds = [0, 1e4], source = "assumed: one in ten cells of the edge is loose", doc = "catching over letting go at a grip of 1" }
bonds = { value = 2, bounds = [0, 10], source = "assumed: cadherins bind in pairs", doc = "how steeply catching grows with the grip" }

[scale]
shed = "(1 + hold) / (1 + hold * grip ** bonds)"
shed_cluster = "grip ** bonds * ((1 + hold) / (1 + hold * grip ** bonds)) ** 2"
"""
