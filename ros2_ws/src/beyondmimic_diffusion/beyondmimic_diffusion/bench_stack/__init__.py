"""``make bench-stack``: CPU time of every process of the stack per robot second while it walks in simulation.

Each turn runs ``make sim``'s session in a process of its own, from this checkout or from another one, and reads the
processes' CPU time from ``/proc``. CPU time is robust against other load on the machine, wall time is not. Two
checkouts are compared in turns (A, B, A, B), so that both see the same machine.
"""
