"""EMT and MET: cells of the tumour become mobile, and must turn back before they found a metastasis.

Epithelial cells turn mesenchymal, and back, by first order (P. Gupta et al. 2011, doi:10.1016/j.cell.2011.07.026:
states of breast cancer cells are a Markov chain). The way there is driven, by a factor of at most `boost`:

    epithelial -> mesenchymal   gain (1 + (boost - 1) s^2 / (half^2 + s^2))      s = tgf_beta + hypoxia n / (n + hypoxic_size)
    mesenchymal -> epithelial   loss in the tumour and in the blood, met in tissue

with n the size of the tumour: beyond 1 to 2 mm its middle lacks oxygen. Contact with platelets drives it too
(platelets multiply the gain of cells in the blood that they cloak: M. Labelle et al. 2011,
doi:10.1016/j.ccr.2011.09.009), where the flag lives in the blood.

Mesenchymal cells divide `division` times as often, are shed `mobility` times as often as single cells and `grouping`
times as often as groups. Cells that reach tissue are mesenchymal in the share `arriving`, unless the flag lives on
the whole way (at = ["primary", "blood", "arrested", "tissue"]). In tissue a mesenchymal cell may die or fall asleep,
but begins to grow only after it turned back: sustained Twist1 gave metastases in 3 of 13 mice, Twist1 switched off
after spreading in 12 of 14 (J. Tsai et al. 2012, doi:10.1016/j.ccr.2012.09.022). With p = met / (met + 1 / stay) the
chance to turn back in time, reversible over sustained is 1 + p arriving / (1 - arriving) in the expected number of
metastases.
"""

NUMBER = 3
ACTS_ON = ("primary", "tissue", "blood")
REFUTED_BY = "Cells locked in the mesenchymal state found as many metastases as cells that can turn back."

MODEL = """
[parameters]
gain = { value = "1e-3 /day", bounds = ["0 /day", "10 /day"], source = "assumed: with loss, one mesenchymal cell in eleven without drive", doc = "epithelial to mesenchymal, without drive" }
loss = { value = "1e-2 /day", bounds = ["0 /day", "10 /day"], source = "assumed: weeks to months in culture", doc = "mesenchymal to epithelial, in the tumour and the blood" }
boost = { value = 5, bounds = [1, 1000], source = "assumed: as the drive by platelets", doc = "largest factor of hypoxia and TGF-beta" }
tgf_beta = { value = 0, bounds = [0, 100], source = "assumed: none beside hypoxia", doc = "drive by TGF-beta, relative" }
hypoxia = { value = 1, bounds = [0, 100], source = "assumed: full", doc = "drive by lack of oxygen in a large tumour, relative" }
hypoxic_size = { value = "3e6 cells", bounds = ["1 cells", "1e12 cells"], source = "assumed: 1 to 2 mm, as far as oxygen diffuses, 1e6 to 1e7 cells", doc = "size at which half of the drive is there" }
half = { value = 0.5, bounds = [1e-3, 100], source = "assumed: half of a full drive", doc = "drive at half of its effect" }
division = { value = 0.7, bounds = [0, 2], source = "assumed: mesenchymal cells divide less", doc = "births of a mesenchymal cell, relative" }
mobility = { value = 10, bounds = [0, 1e3], source = "assumed: epithelial cells are shed a tenth as often", doc = "shedding of a mesenchymal cell as a single one, relative" }
grouping = { value = 0.1, bounds = [0, 1e3], source = "assumed: groups are held together by cadherins", doc = "shedding of a mesenchymal cell within a group, relative" }
arriving = { expr = "mobility * gain / (mobility * gain + loss)", unit = "1", source = "derived: share of mesenchymal cells among single cells shed by a tumour without drive", doc = "share of mesenchymal cells among those that reach tissue, where the flag does not live on the way" }
met = { value = "0.83 /day", bounds = ["0 /day", "100 /day"], source = "derived: 12 of 14 against 3 of 13 mice (doi:10.1016/j.ccr.2012.09.022) for nine mesenchymal cells in ten and 3 days in tissue", doc = "mesenchymal to epithelial in tissue" }

[flag.mesenchymal]
at = ["primary", "tissue"]
gain = { primary = "gain * (1 + (boost - 1) * hill(tgf_beta + hypoxia * primary / (primary + hypoxic_size), half, 2))", blood = "gain" }
loss = { primary = "loss", blood = "loss", tissue = "met" }
share = { extravasate = "arriving" }
factors = { grow = "division", shed = "mobility", shed_cluster = "grouping", settle = 0 }
"""
