"""Endocrine therapy: without oestrogen cells that need it divide and wake less often.

While it is given, divisions of the primary (`grow`) and of metastases (`divide`) come at `growth` times their rate, and waking at `waking` times. `absent`
is the share of the effect that is missing, 1 without the drug.

`[[treatment]] use = "endocrine_therapy"` gives it for five years, from four weeks after the treatment `resection` on.

Births are several times the net growth: with growth = 0.6 metastases would shrink and none be found, which is not what is seen. Five years of
tamoxifen leave 0.5 to 0.6 of the recurrences of years 0 to 9 (overview of the EBCTCG).
"""

NUMBER = 24
ACTS_ON = ("primary", "growing", "lesion", "dormant")
REFUTED_BY = "Recurrences of oestrogen-dependent tumours under tamoxifen come as often as without."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
growth = { value = 0.9, bounds = [0, 1], source = "derived: halves the net growth of cells of which 0.193 of the lines live on, 1 - 0.193 / 2", doc = "divisions under therapy relative to without" }
waking = { value = 0.5, bounds = [0, 1], source = "assumed: about the ratio of recurrences under tamoxifen", doc = "waking under therapy relative to without" }

[scale]
grow = "growth + (1 - growth) * absent"
divide = "growth + (1 - growth) * absent"
wake = "waking + (1 - waking) * absent"

[treatment]
start = { after = "resection", delay = "28 days" }
duration = "5 years"
scale = { absent = 0 }
"""
