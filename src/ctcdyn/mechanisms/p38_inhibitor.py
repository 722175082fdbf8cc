"""p38 inhibitor: the signal that keeps sleeping cells asleep is taken away.

While it is given, the activity of p38 is (1 - efficacy) times normal, and the ratio ERK / p38 of p38_erk rises by 1 / (1 - efficacy): sleeping cells wake, and
are seen again by NK cells and T cells. Whether that helps depends on what kills those that wake (chemotherapy, immunity). `absent` is the share of the
effect that is missing, 1 without the drug.

`[[treatment]] use = "p38_inhibitor"` gives it for 60 days, from four weeks after the treatment `resection` on.

Without p38_erk there is nothing that it acts on.
"""

NUMBER = 24
ACTS_ON = ("dormant", "tissue")
REFUTED_BY = "An inhibitor of p38 leaves the number of sleeping cells that begin to divide as it was."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
efficacy = { value = 0.8, bounds = [0, 0.999], source = "assumed: a fifth of the activity is left", doc = "share of the activity of p38 that the drug takes away" }

[scale]
p38_erk_p38 = "1 - efficacy * (1 - absent)"

[treatment]
start = { after = "resection", delay = "28 days" }
duration = "60 days"
scale = { absent = 0 }
"""
