"""Checkpoint inhibitor: T cells are no longer stopped by PD-L1 on tumour cells.

While it is given, every killing by T cells is multiplied by `release`, the killing without the brake relative to with it. It acts on T cells that are
there: without antigen there are none to release. `absent` is the share of the effect that is missing, 1 without the drug.

`[[treatment]] use = "checkpoint_inhibitor"` gives it for a year from the start.
"""

NUMBER = 24
ACTS_ON = ("blood", "cluster", "arrested", "tissue", "dormant", "growing", "lesion")
REFUTED_BY = "Blocking PD-1 raises the killing of tumour cells in animals without T cells as in animals with them."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
release = { value = 3, bounds = [1, 100], source = "assumed: two thirds of the killing is held back by PD-L1", doc = "killing by T cells without the brake relative to with it" }

[scale]
t_cells = "release + (1 - release) * absent"

[treatment]
start = { at = "0 days" }
duration = "1 year"
scale = { absent = 0 }
"""
