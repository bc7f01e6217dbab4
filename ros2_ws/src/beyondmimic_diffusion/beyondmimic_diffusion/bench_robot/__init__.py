"""``make bench-robot``: what the executor with a Unitree robot costs at 500 Hz on one core, by our way and the SDK's.

A made-up robot in a process of its own sends LowState; each way runs in a fresh process on a core of its own, in turns,
with the same executor between reading and writing. Both check the checksum of what they read and put one on what they
write. Costs are CPU time, so that other load on the machine does not count; lateness is as it was.
"""
