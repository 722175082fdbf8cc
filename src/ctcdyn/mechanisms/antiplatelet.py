"""Antiplatelet therapy: platelets no longer stick to circulating tumour cells.

While it is given, cells in the blood are cloaked at (1 - efficacy) times the rate (the flag `cloaked` of platelets). What it gains is what the cloak
spared: without NK cells nothing but the share in shear (doi:10.1182/blood-2004-06-2272). `absent` is the share of the effect that is missing, 1 without the
drug.

`[[treatment]] use = "antiplatelet"` gives it for five years from the start.
"""

NUMBER = 24
ACTS_ON = ("blood", "cluster")
REFUTED_BY = "Antiplatelet drugs lower the number of metastases as much in animals without NK cells as in animals with them."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
efficacy = { value = 0.9, bounds = [0, 1], source = "assumed: most of the adhesion of platelets", doc = "share of cloaking that the drug prevents" }

[scale]
cloaked = "1 - efficacy * (1 - absent)"

[treatment]
start = { at = "0 days" }
duration = "5 years"
scale = { absent = 0 }
"""
