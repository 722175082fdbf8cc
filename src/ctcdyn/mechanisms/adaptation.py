"""Adaptation: cells that live in the blood for a while learn to bear it.

    not adapted -> adapted     rate stress

An adapted cell dies of anoikis `anoikis` times and of oxidants `oxygen` times as fast: it holds on to nothing and
does not mind, and it has changed its metabolism (cells that spread well bind oxidants by folate: E. Piskounova et al.
2015, doi:10.1038/nature15726). The option metabolism = "apart" makes the second one a flag of its own, `metabolic`,
gained at `metabolic_rate`: then a cell may have one, the other or both.

The flag lives in the blood. With at = ["blood", "arrested", "tissue", "dormant", "growing"] it is inherited by a
metastasis, where it costs: its cells divide `division` times as often.
"""

NUMBER = 14
ACTS_ON = ("blood",)
REFUTED_BY = "Cells taken from the blood bear suspension and oxidants no better than cells of their tumour."

MODEL = """
[options]
metabolism = ["together", "apart"]

[parameters]
rate = { value = "0.5 /day", bounds = ["0 /day", "1e4 /day"], source = "assumed: within days", doc = "adaptation of a cell in the blood" }
stress = { value = 1, bounds = [0, 100], source = "assumed: normal", doc = "stress that drives adaptation, relative" }
anoikis = { value = 0.2, bounds = [0, 1], source = "assumed: a fifth", doc = "death of an adapted cell by anoikis, relative" }
oxygen = { value = 0.3, bounds = [0, 1], source = "assumed: as direction in doi:10.1038/nature15726", doc = "death of an adapted cell by oxidants, relative" }
division = { value = 0.95, bounds = [0, 1], source = "assumed: a small cost", doc = "births of an adapted cell in a metastasis, relative" }
metabolic_rate = { value = "0.5 /day", bounds = ["0 /day", "1e4 /day"], source = "assumed: as adaptation", doc = "change of the metabolism of a cell in the blood", if = { metabolism = "apart" } }

[flag.adapted]
at = ["blood"]
gain = { blood = "rate * stress" }
factors = { anoikis = "anoikis", oxygen = "oxygen", divide = "division" }
if = { metabolism = "together" }

[flag.anchorless]
at = ["blood"]
gain = { blood = "rate * stress" }
factors = { anoikis = "anoikis", divide = "division" }
if = { metabolism = "apart" }
[flag.metabolic]
at = ["blood"]
gain = { blood = "metabolic_rate * stress" }
factors = { oxygen = "oxygen" }
if = { metabolism = "apart" }
"""
