"""Results on disk: the only package that knows HDF5 (h5py itself is imported when a file is opened)."""

from ctcdyn.store.assembly import assemble
from ctcdyn.store.journal import Journal, begin, claim, is_finished
from ctcdyn.store.layout import Schema
from ctcdyn.store.lock import Lock
from ctcdyn.store.paths import Packed, PathCoder
from ctcdyn.store.writer import Store

__all__ = ["Journal", "Lock", "Packed", "PathCoder", "Schema", "Store", "assemble", "begin", "claim", "is_finished"]
