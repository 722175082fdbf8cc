"""Oxygen stress: oxidants and pressure in the blood kill cells that come from a tumour poor in oxygen.

Each circulating cell dies at the rate

    kill_rate oxidants

with `oxidants` relative to blood as it is. Antioxidants raise the number of circulating cells and of metastases:
melanoma cells in the blood of mice are under oxidative stress, and N-acetyl-cysteine let more of them live (E.
Piskounova et al. 2015, doi:10.1038/nature15726). Cells that have changed their metabolism (the flag `adapted`)
multiply the rate.
"""

NUMBER = 7
ACTS_ON = ("blood", "cluster")
REFUTED_BY = "Antioxidants given to the animal leave the number of circulating cells as it was."

MODEL = """
[parameters]
kill_rate = { value = "1 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: 1 of 36 losses a day", doc = "death of a cell in the blood by oxidants" }
oxidants = { value = 1, bounds = [0, 100], source = "assumed: normal; antioxidants lower it", doc = "oxidants in the blood, relative" }

[[hazard]]
name = "oxygen"
at = { blood = "kill_rate * oxidants" }
fate = "oxygen"
"""
