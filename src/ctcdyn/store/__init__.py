"""Results on disk: the only package that knows HDF5 (h5py itself is imported when a file is opened)."""

from ctcdyn.store.layout import Schema
from ctcdyn.store.writer import Packed, Store

__all__ = ["Packed", "Schema", "Store"]
