"""Dormancy: sleeping cells do not divide; they wake or die, sooner or later.

A sleeping cell wakes and founds a metastasis, or dies at the rate death_rate. How the time to waking is distributed, while nothing else acts, is chosen
with `law` (h = wake_rate):

    exponential    waking does not depend on how long a cell has slept: S(t) = exp(-h t)
    erlang         three stages, each left at the rate 3 h: few cells wake early, most about the mean 1 / h
    two_kinds      the share deep_share of those that fall asleep sleeps deeper, with the rate `depth` times the others'; mean 1 / h;
                   S(t) = (1 - p) exp(-g t) + p exp(-g depth t), g = h (1 - p + p / depth): the hazard falls with time
    deepening      a cell wakes at the rate h or falls into deeper sleep at the rate `deepening`, in which it wakes at h depth (a Coxian law)

Stages of a law are species of the stage `dormant`, and whatever acts on sleeping cells acts on each. Other laws are refused: a count of cells does not
remember how long each has slept. **Frailty** is what differs from patient to patient, and is drawn:
`[population.draw] dormancy_wake_rate = { dist = "lognormal", median = "1e-7 /day", gsd = 2 }`. Were it gamma distributed with mean 1 and variance v, patients
together would have S(t) = 1 / (1 + v h t) ** (1 / v): a hazard that falls as if cells slept ever deeper, though in each patient the law is exponential.

death_rate is that of a cell which does nothing but stop: 0.2 /day. Saving energy (energy_saving) leaves a tenth of it, autophagy (autophagy) a
hundredth of that, 2e-4 /day. A model without these two sets what is left (1.9e-4 /day: a half-life of ten years).

Cells of the pool of metastases fall asleep again with resleep = "on". Micrometastases of women escape with half-lives of 12 to 69 years
(L. Willis et al. 2010, doi:10.1158/0008-5472.CAN-09-3194).
"""

NUMBER = 17
ACTS_ON = ("dormant", "tissue")
REFUTED_BY = "Every metastasis that is found ten years after surgery has grown at one pace since it was founded."

MODEL = """
[options]
law = ["exponential", "erlang", "two_kinds", "deepening"]
resleep = ["off", "on"]

[[refused]]
if = { law = "weibull" }
why = "its hazard depends on how long a cell has slept, which counts of cells do not hold"
fix = "take erlang for a hazard that rises, two_kinds or deepening for one that falls"
[[refused]]
if = { law = "lognormal" }
why = "its hazard depends on how long a cell has slept, which counts of cells do not hold"
fix = "take erlang for a hazard that rises, two_kinds or deepening for one that falls"
[[refused]]
if = { law = "inverse_gaussian" }
why = "its hazard depends on how long a cell has slept, which counts of cells do not hold"
fix = "take erlang for a hazard that rises, two_kinds or deepening for one that falls"
[[refused]]
if = { law = "pareto" }
why = "its hazard depends on how long a cell has slept, which counts of cells do not hold"
fix = "take two_kinds or deepening, or let patients differ in dormancy_wake_rate"
[[refused]]
if = { law = "gamma_frailty" }
why = "it is the law of patients who differ, and of none of them"
fix = "draw dormancy_wake_rate in [population.draw]"

[species]
dormant = { unit = "cells", stage = "dormant", doc = "sleeping single cells" }
dormant_2 = { unit = "cells", stage = "dormant", added = true, doc = "sleeping single cells, second stage", if = { law = "erlang" } }
dormant_3 = { unit = "cells", stage = "dormant", added = true, doc = "sleeping single cells, last stage", if = { law = "erlang" } }
growing = { unit = "cells", stage = "growing", doc = "cells of all growing metastases" }

[parameters]
wake_rate = { value = "1e-7 /day", bounds = ["0 /day", "10 /day"], source = "derived: calibrated with fate_in_tissue_p_growing to 1.5e-8 metastases per shed cell (doi:10.1186/1471-2407-13-283)", doc = "1 / mean time to waking; of fresh sleepers where sleep deepens" }
death_rate = { value = "0.2 /day", bounds = ["0 /day", "10 /day"], source = "derived: 2e-4 /day, a half-life of ten years, without energy saving (a tenth) and autophagy (a hundredth)", doc = "death of a cell that does nothing but stop" }
deep_share = { value = 0.5, bounds = [0, 1], source = "assumed: half", doc = "share of those falling asleep that sleeps deeply", if = { law = "two_kinds" } }
depth = { value = 0.1, bounds = [1e-6, 1], source = "assumed: ten times slower", doc = "waking from deep sleep relative to light sleep", if = { law = ["two_kinds", "deepening"] } }
deepening = { value = "1e-3 /day", bounds = ["0 /day", "10 /day"], source = "assumed: within three years", doc = "light sleep becomes deep", if = { law = "deepening" } }
resleep_rate = { value = "1e-3 /day", bounds = ["0 /day", "10 /day"], source = "assumed: below the growth of metastases of 0.0134 /day", doc = "growing cells that fall asleep again", if = { resleep = "on" } }

[[reaction]]
name = "wake"
equation = "dormant -> growing"
k = "wake_rate"
fate = "woke"
if = { law = ["exponential", "deepening"] }
[[reaction]]
name = "wake"
equation = "dormant -> growing"
k = "wake_rate * (1 - deep_share + deep_share / depth)"
fate = "woke"
if = { law = "two_kinds" }
[[reaction]]
name = "rouse"
process = "wake"
equation = "dormant -> dormant_2"
k = "3 * wake_rate"
if = { law = "erlang" }
[[reaction]]
name = "rouse_more"
process = "wake"
equation = "dormant_2 -> dormant_3"
k = "3 * wake_rate"
if = { law = "erlang" }
[[reaction]]
name = "wake"
equation = "dormant_3 -> growing"
k = "3 * wake_rate"
fate = "woke"
if = { law = "erlang" }
[[reaction]]
name = "resleep"
equation = "growing -> dormant"
k = "resleep_rate"
needs = "growing"
if = { resleep = "on" }

[[hazard]]
name = "lose"
at = { dormant = "death_rate" }
fate = "died_asleep"

[flag.deep]
at = ["dormant"]
share = { sleep = "deep_share", resleep = "deep_share" }
factors = { wake = "depth" }
if = { law = "two_kinds" }

[flag.deeper]
at = ["dormant"]
gain = "deepening"
factors = { wake = "depth" }
if = { law = "deepening" }
"""
