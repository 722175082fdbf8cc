"""Autophagy inhibitor: sleeping cells can no longer live on themselves.

While it is given (hydroxychloroquine), autophagy is (1 - efficacy) times normal, and sleeping cells die at d0 (1 - benefit (1 - efficacy)) in place of
d0 (1 - benefit) (autophagy). `absent` is the share of the effect that is missing, 1 without the drug.

`[[treatment]] use = "autophagy_inhibitor"` gives it for three years, from four weeks after the treatment `resection` on.

Hydroxychloroquine lowers the number of sleeping cells in the mouse's lung (L. Vera-Ramirez et al. 2018, doi:10.1038/s41467-018-04070-6). Without the
mechanism autophagy there is nothing that it acts on.
"""

NUMBER = 24
ACTS_ON = ("dormant",)
REFUTED_BY = "Hydroxychloroquine leaves the number of sleeping cells in bone marrow as it was."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
efficacy = { value = 0.5, bounds = [0, 1], source = "assumed: half of autophagy at doses that patients bear", doc = "share of autophagy that the drug stops" }

[scale]
autophagy_activity = "1 - efficacy * (1 - absent)"

[treatment]
start = { after = "resection", delay = "28 days" }
duration = "3 years"
scale = { absent = 0 }
"""
