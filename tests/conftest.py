"""What all tests share: one folder of compiled kernels for the session, never the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Before numpy is loaded, here and in the workers: matrices are small, and a second thread of BLAS only waits, eight
# times as long as the first one computes; the other core is the other worker's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The cache of this session and of the processes it starts; CTCDYN_TEST_CACHE keeps it for the next."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # one folder for all workers: each kernel is compiled once
    folder = os.environ.get("CTCDYN_TEST_CACHE") or str(base / "kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTCDYN_CACHE", folder)
        yield folder
