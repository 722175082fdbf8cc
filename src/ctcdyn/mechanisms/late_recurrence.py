"""Late recurrence: a wound wakes sleeping cells for a while, a niche that changes wakes them for good.

Surgery leaves a wound: a level that a treatment sets to 1 and that decays with the mean time `healing`. Meanwhile waking is

    wake (1 + wound_effect wound)        wound = exp(-(t - t_surgery) / healing)

so that a cell wakes with wound_effect h healing more in the whole of it: the first of the two peaks of relapse, 18 months after surgery, beside
the later one at 60 months (R. Demicheli et al. 1996, doi:10.1007/BF01807163). With niche = "changes" the niche (age, fibrosis, new vessels) multiplies waking by
niche_effect from niche_day on, of the time axis of the study.

`[[treatment]] use = "late_recurrence"` makes the wound when the treatment `resection` is given.

`wound` is pinned. With `direct`, which pins nothing, it is a single thing that is gone after an exponential time: the same on average.
"""

NUMBER = 22
ACTS_ON = ("dormant",)
REFUTED_BY = "Relapses after surgery come as often in the first two years with an anti-inflammatory drug around the operation as without."

MODEL = """
[options]
niche = ["stable", "changes"]

[species]
wound = { unit = "1", continuous = true, doc = "wound of an operation, 1 when it is fresh" }

[parameters]
wound_effect = { value = 10, bounds = [0, 1e4], source = "assumed: tenfold, of the order of the first peak of doi:10.1007/BF01807163", doc = "by how much a fresh wound raises waking" }
healing = { value = "30 days", bounds = ["1 days", "1000 days"], source = "assumed: weeks", doc = "mean time of the wound" }
niche_effect = { value = 3, bounds = [0, 1e3], source = "assumed: an example", doc = "waking in the changed niche relative to before", if = { niche = "changes" } }
niche_day = { value = "10 years", bounds = ["0 days", "100 years"], source = "assumed: an example", doc = "when the niche changes", if = { niche = "changes" } }

[[reaction]]
name = "heal"
equation = "wound ->"
k = "1 / healing"

[[scale.wake]]
factor = "1 + wound_effect * wound"
[[scale.wake]]
factor = "where(t >= niche_day, niche_effect, 1)"
if = { niche = "changes" }

[treatment]
start = { after = "resection" }
set = { wound = 1 }
"""
