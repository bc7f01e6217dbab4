"""Faults injected into the whole stack while the robot walks in simulation, and the reactions to them."""
