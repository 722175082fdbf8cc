"""From a network to one self-contained kernel: plan the rows, emit the algebra, choose a solver, link."""
