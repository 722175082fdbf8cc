"""Mechanisms of metastasis, one file each: biology that adds to a model or changes its rates."""
