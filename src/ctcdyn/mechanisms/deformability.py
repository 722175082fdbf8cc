"""Deformability: soft cells pass the capillaries in which stiff ones are caught.

A cell meets a capillary bed 1440 times a day, once a circuit, and is caught there with the chance `rigid` or, where it
carries the flag `flexible`, `soft`:

    arrest of a stiff cell     1440 /day rigid
    arrest of a soft cell      1440 /day soft
    a stiff cell leaves its vessel for tissue at 1 / squeeze of the rate of a soft one

Of single cells that are shed or come off a cluster the share `share` is soft. Blood that leaves a tumour has 12 times
the tumour cells of arterial blood (T. Butler and P. Gullino 1975, Cancer Research 35:512, rat): nearly all are caught
on their first way through the lung. Yet half of the cells that are found in the blood stay for minutes (mice) to 2
hours (women after mastectomy, S. Meng et al. 2004, doi:10.1158/1078-0432.CCR-04-1110). Both hold if most cells that
are shed are stiff and most that are found are soft: then the decay has two times. Soft cells also live through shear
(Y. Xin et al. 2019, doi:10.1016/j.bpj.2019.04.011), and a soft cell with a soft nucleus squeezes through the wall of
a vessel `squeeze` times as easily (V. Gensbittel et al. 2020, doi:10.1016/j.devcel.2020.10.011). The two are opposed:
stiff cells come to a capillary more often, soft ones get out of it more often. With squeeze = 1 stiff cells would
reach tissue more often.

flagged = "stiff" writes the same model down with the flag on the stiff cells, which are gone within two minutes and
hardly have time to be cloaked (1.5 % of them) or to adapt: they carry no other flag then, and the model is smaller.
without = [] takes that back. With at = ["blood"] all cells leave their vessel as
unflagged ones do.

While this mechanism is on, the rates of arrest_and_extravasation are those of a soft cell: arrest 18 /day = 1440 x
0.0125.
"""

NUMBER = 13
ACTS_ON = ("blood",)
REFUTED_BY = "Cells softened before they are injected arrest in the lung as often as stiff ones on their first passage."

MODEL = """
[options]
flagged = ["flexible", "stiff"]

[parameters]
share = { value = 0.1, bounds = [0, 1], source = "derived: one in 12 of the cells that leave a tumour passes the lung (Butler and Gullino 1975, Cancer Research 35:512), at least", doc = "soft cells among those shed" }
rigid = { value = 0.9, bounds = [1e-3, 1], source = "derived: at most 11 of 12 cells are lost on a passage (Butler and Gullino 1975, Cancer Research 35:512)", doc = "chance of a stiff cell to be caught on one passage" }
soft = { value = 0.0125, bounds = [1e-6, 1], source = "derived: 18 arrests of 1440 passages a day", doc = "chance of a soft cell to be caught on one passage, the one that the rate of arrest stands for" }
shear = { value = 0.4, bounds = [1e-6, 1], source = "assumed: as direction in doi:10.1016/j.bpj.2019.04.011", doc = "death of a soft cell by shear, relative to a stiff one" }
squeeze = { value = 3, bounds = [1, 1e3], source = "assumed: as direction in doi:10.1016/j.devcel.2020.10.011", doc = "a soft cell leaves its vessel, relative to a stiff one" }

[scale]
extravasate = { factor = "1 / squeeze", if = { flagged = "flexible" } }
arrest = { factor = "rigid / soft", if = { flagged = "flexible" } }

[stage.blood]
factors = { shear = "shear" }
if = { flagged = "stiff" }

[flag.flexible]
at = ["blood", "arrested"]
share = { shed = "share", disaggregate = "share" }
factors = { arrest = "soft / rigid", shear = "shear", extravasate = "squeeze" }
if = { flagged = "flexible" }

[flag.stiff]
at = ["blood", "arrested"]
without = ["cloaked", "adapted", "anchorless", "metabolic"]
share = { shed = "1 - share", disaggregate = "1 - share" }
factors = { arrest = "rigid / soft", shear = "1 / shear", extravasate = "1 / squeeze" }
if = { flagged = "stiff" }
"""
