"""Autophagy: sleeping cells live on what they take apart of themselves.

The rate at which sleeping cells die is

    lose  = d0 (1 - benefit activity)

with d0 that of a cell without autophagy and `activity` between 0 and 1, which autophagy_inhibitor lowers. Without ATG7 or under hydroxychloroquine
sleeping breast cancer cells of the mouse's lung die (L. Vera-Ramirez et al. 2018, doi:10.1038/s41467-018-04070-6); others find no such need
(R. Dwyer et al. 2024, doi:10.1186/s13058-024-01878-7): benefit = 0 is that finding.
"""

NUMBER = 21
ACTS_ON = ("dormant",)
REFUTED_BY = "Sleeping cells without ATG7 are found as long and in the same numbers as those with it."

MODEL = """
[parameters]
benefit = { value = 0.99, bounds = [0, 1], source = "assumed: 0.02 /day without, 2e-4 /day with autophagy", doc = "share of the deaths of sleeping cells that full autophagy prevents" }
activity = { value = 1, bounds = [0, 1], source = "derived: 1 is full autophagy", doc = "autophagy of sleeping cells" }

[scale]
lose = "max(1 - benefit * activity, 0)"
"""
