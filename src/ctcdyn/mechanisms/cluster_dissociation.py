"""Cluster dissociation: clusters are taken apart into single cells, which do worse.

While it is given (inhibitors of the sodium-potassium pump), clusters lose cells `fold` times as fast (`disaggregate`). What
it gains is the difference between a cluster and its cells one by one. `absent` is the share of the effect that is missing, 1 without the drug.

`[[treatment]] use = "cluster_dissociation"` gives it for 20 days from the start.
"""

NUMBER = 24
ACTS_ON = ("cluster",)
REFUTED_BY = "A drug that halves the size of circulating clusters leaves the number of metastases as it was."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
fold = { value = 20, bounds = [1, 1e4], source = "assumed: a cluster falls apart before it is arrested", doc = "loss of cells of clusters under treatment relative to without" }

[scale]
disaggregate = "fold + (1 - fold) * absent"

[treatment]
start = { at = "0 days" }
duration = "20 days"
scale = { absent = 0 }
"""
