"""Chemotherapy: a drug that kills dividing cells, in proportion to how fast they divide.

The drug is in one compartment: each cycle adds its dose, and it is cleared with a half-life,

    chemo_drug' = -ln 2 / half_life chemo_drug          (1: right after the first cycle)

Each cell of the primary and of metastases is killed at the rate

    h = kill chemo_drug division          (L. Norton and R. Simon: kill goes with growth)

with `division` the rate at which this cell divides now, brakes included: a large tumour that hardly grows is hardly hit. One cycle kills the share
1 - exp(-kill division half_life / ln 2) of cells that divide at that rate. Sleeping cells do not divide and are refractory; with dormant =
"sensitive" the drug also hits cells at rest, at the rate kill_resting chemo_drug.

`[[treatment]] use = "chemotherapy"` gives six cycles of three weeks, from four weeks after the treatment `resection` on.

`chemo_drug` is pinned; of methods that pin nothing only rate equations follow it as it is.
"""

NUMBER = 24
ACTS_ON = ("primary", "growing", "lesion", "dormant")
REFUTED_BY = "Sleeping cells are cleared by six cycles as dividing ones are; large tumours shrink by the same factor as small ones."

MODEL = """
[options]
dormant = ["refractory", "sensitive"]

[species]
chemo_drug = { unit = "1", continuous = true, doc = "drug in the body, 1 after one dose" }

[parameters]
half_life = { value = "12 h", bounds = ["0.1 h", "1000 h"], source = "assumed: hours, as of many cytotoxic drugs", doc = "half-life of the drug" }
kill = { value = 20, bounds = [0, 1e4], source = "assumed: one e-fold of cells that divide at 0.0693 /day in a cycle", doc = "deaths per division at full drug" }
kill_resting = { value = "0.1 /day", bounds = ["0 /day", "100 /day"], source = "assumed: 7 % of cells at rest in a cycle", doc = "killing of a sleeping cell at full drug", if = { dormant = "sensitive" } }

[[reaction]]
name = "clear_chemo"
equation = "chemo_drug ->"
k = "log(2) / half_life"

[[hazard]]
name = "chemo"
at = { primary = "kill * chemo_drug * division", growing = "kill * chemo_drug * division", lesion = "kill * chemo_drug * division" }
fate = "chemo"
[[hazard]]
name = "chemo"
at = { dormant = "kill_resting * chemo_drug" }
fate = "chemo"
if = { dormant = "sensitive" }

[treatment]
start = { after = "resection", delay = "28 days" }
every = "21 days"
cycles = 6
set = { chemo_drug = "chemo_drug + 1" }
"""
