"""NK boost: more and more active NK cells.

While it is given, every killing by NK cells is multiplied by `fold` (an agonist of interleukin-15, or cells that are infused). `absent` is the share of the
effect that is missing, 1 without the drug.

`[[treatment]] use = "nk_boost"` gives it for two weeks from the start.
"""

NUMBER = 24
ACTS_ON = ("blood", "cluster", "arrested", "tissue", "dormant", "growing", "lesion")
REFUTED_BY = "Raising the number of NK cells threefold leaves as many tumour cells to extravasate as before."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
fold = { value = 3, bounds = [1, 100], source = "assumed: NK cells in the blood threefold", doc = "killing by NK cells under treatment relative to without" }

[scale]
nk = "fold + (1 - fold) * absent"

[treatment]
start = { at = "0 days" }
duration = "14 days"
scale = { absent = 0 }
"""
