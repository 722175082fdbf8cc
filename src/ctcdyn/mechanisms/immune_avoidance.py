"""Immune avoidance: sleeping cells show little that NK cells and T cells find them by.

Killing of a sleeping cell is multiplied: NK cells with the factor `nk`, T cells with the factor `t_cells`. Latent cells of breast and lung take the
ligands that NK cells look for (ULBP) off their surface while they are at rest (S. Malladi et al. 2016, doi:10.1016/j.cell.2016.02.025), and show more of them when
they divide again.
"""

NUMBER = 19
ACTS_ON = ("dormant",)
REFUTED_BY = "Depleting NK cells raises the number of sleeping cells by the factor by which it raises that of dividing ones."

MODEL = """
[parameters]
nk = { value = 0.05, bounds = [0, 1], source = "assumed: from doi:10.1016/j.cell.2016.02.025, which shows that there are fewer ligands, not how many deaths that makes", doc = "killing of a sleeping cell by NK cells, relative to one without avoidance" }
t_cells = { value = 0.05, bounds = [0, 1], source = "assumed: as NK cells", doc = "killing of a sleeping cell by T cells, relative to one without avoidance" }

[stage.dormant]
factors = { nk = "nk", t_cells = "t_cells" }
"""
