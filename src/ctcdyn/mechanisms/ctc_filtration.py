"""Filtration: a device takes circulating cells and clusters out of the blood.

While it runs, cells and clusters in the blood are lost at the further rate `clearance`, cells of all kinds alike. Of cells that leave the blood at the rate k
without it, k / (k + clearance) meet their former fate, metastases among them: a device outside of the body for good prevents 82 % of metastases with clearance = 4.6 k
(a model, doi:10.3390/cancers16173078). `absent` is the share of the effect that is missing, 1 without the device.

`[[treatment]] use = "ctc_filtration"` runs it for three hours each day from the start.
"""

NUMBER = 24
ACTS_ON = ("blood", "cluster")
REFUTED_BY = "A device that halves the number of circulating tumour cells for weeks leaves the number of metastases as it was."

MODEL = """
[parameters]
absent = { value = 1, bounds = [0, 1], source = "derived: 1 is untreated", doc = "share of the effect that is missing; what a treatment scales" }
clearance = { value = "164 /day", bounds = ["0 /day", "1e5 /day"], source = "derived: 36 /day * 0.82 / (1 - 0.82), for the 82 % of doi:10.3390/cancers16173078", doc = "cells that the running device takes out of the blood" }

[[hazard]]
name = "filter"
at = { blood = "clearance * (1 - absent)", cluster = "clearance * (1 - absent)" }
fate = "filter"

[treatment]
start = { at = "0 days" }
every = "1 day"
duration = "3 h"
scale = { absent = 0 }
"""
