"""Small models with lesions as text, and what is known of them: success from few cells, times to a size, their sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags
from scipy.sparse.linalg import expm_multiply

from ctcdyn.simulation import Model, load_model

HEAD = 'schema = 1\nname = "colonies"\nunits = "none"\n'


def model(
    folder: Path,
    species: str,
    parameters: dict[str, float],
    reactions: dict[str, tuple[str, str]],
    lesion: dict[str, tuple[str, str]],
    more: str = "",
    inner: str = "cells = {}",
) -> Model:
    """Reactions as name: (equation, rate), of the patient and of a lesion with the species `inner`."""
    text = HEAD + f"[species]\n{species}\n[parameters]\n"
    text += "".join(f'{name} = {{ value = {x!r}, source = "assumed: a test" }}\n' for name, x in parameters.items())
    for kind, table in (("reaction", reactions), ("lesion.reaction", lesion)):
        for name, (equation, rate) in table.items():
            text += f'[[{kind}]]\nname = "{name}"\nequation = "{equation}"\nrate = "{rate}"\n'
            if kind == "reaction" and name == list(reactions)[-1]:
                text += f"{more}\n[lesion.species]\n{inner}\n"
    path = folder / "colonies.toml"
    path.write_text(text)
    return load_model(path)


BIRTH_DEATH = {"divide": ("cells -> 2 cells", "b * cells"), "wither": ("cells ->", "d * cells")}


SEED = {"b": 0.5, "d": 0.3, "shed": 4.0, "clear": 1.0, "out": 0.5, "stay": 0.4, "hazard": 0.02}
CASCADE = {
    "shed": ("-> blood", "shed"),
    "clear": ("blood ->", "clear * blood"),
    "leave": ("blood -> tissue", "out * blood"),
    "die": ("tissue ->", "0.5 * stay * tissue"),
    "settle": ("tissue -> lesion", "0.5 * stay * tissue"),
}
RULES = '[lesion]\nsize = "cells"\ndetection = "found >= 1"\n'


def success(n: int, ratio: float, kappa: float, power: float) -> float:
    """Chance that n cells never die out where death over birth of i cells is (1 + (kappa / i)^power) / ratio."""
    i = np.arange(1, 5000)
    terms = np.concatenate([[1.0], np.cumprod((1 + (kappa / i) ** power) / ratio)])
    return float(terms[:n].sum() / terms.sum())


def reached(size: int, b: float, d: float, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that the line of one cell had `size` cells at some time up to each of `times` (evenly spaced, from 0)."""
    i = np.arange(size + 1, dtype=float)
    out = (b + d) * i
    out[size] = 0.0
    up, down = b * i[:-1], d * i[1:]
    down[-1] = 0.0
    generator = diags([-out, up, down], [0, -1, 1], shape=(size + 1, size + 1)).tocsc()  # columns leave
    start = np.zeros(size + 1)
    start[1] = 1.0
    path = expm_multiply(generator, start, times[0], times[-1], len(times), endpoint=True)
    return np.asarray(path[:, size])
