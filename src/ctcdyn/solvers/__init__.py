"""Solvers, one file each. A file defines SEMANTICS, ALGEBRA, GRID_FREE, ORDER, SOURCE and the hooks of `loop`."""
