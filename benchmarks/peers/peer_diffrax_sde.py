"""diffrax, chemical Langevin equation by Euler-Maruyama: one compiled program over all trajectories (vmap), 64 bits.

What is below zero counts as none in the rates alone: a state that is cut at zero is biased by up to a quarter.
"""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("diffrax==0.7.2", "jax==0.10.2", "numpy")
SOLVES = {"langevin": ("euler",)}


def prepare(task: Task):
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    names, reactions = task.species, task.problem["reactions"]
    change = jnp.array(
        [[r["products"].get(name, 0) - r["reactants"].get(name, 0) for r in reactions] for name in names],
        dtype=float,
    )
    constants = jnp.array(task.constants)
    slots = [[names.index(name) for name in r["reactants"]] for r in reactions]

    def rates(y):
        y = jnp.maximum(y, 0.0)
        factors = [jnp.prod(jnp.stack([y[i] for i in slot])) if slot else 1.0 for slot in slots]
        return constants * jnp.stack([jnp.asarray(factor, dtype=float) for factor in factors])

    def one(key):
        noise = diffrax.UnsafeBrownianPath(shape=(len(reactions),), key=key)
        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda _t, y, _: change @ rates(y)),
            diffrax.ControlTerm(lambda _t, y, _: change * jnp.sqrt(rates(y)), noise),
        )
        found = diffrax.diffeqsolve(
            terms, diffrax.Euler(), 0.0, float(task.times[-1]), task.setting, jnp.array(task.start),
            saveat=diffrax.SaveAt(ts=jnp.array(task.times)), adjoint=diffrax.DirectAdjoint(), max_steps=None,
        )  # fmt: skip
        return found.ys

    keys = jax.random.split(jax.random.key(task.seed), task.count)
    compiled = jax.jit(jax.vmap(one)).lower(keys).compile()

    def work() -> Answer:
        found = jax.block_until_ready(compiled(keys))
        steps = task.count * round(float(task.times[-1]) / task.setting)
        return np.asarray(found) if task.paths else None, {"trajectories": task.count, "steps": steps}

    return work


def versions() -> str:
    import diffrax
    import jax

    return f"diffrax {diffrax.__version__}, jax {jax.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
