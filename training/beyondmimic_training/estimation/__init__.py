"""How well the state is estimated: walks in simulation, estimator against truth."""
