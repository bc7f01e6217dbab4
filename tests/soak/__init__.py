"""Long runs of the whole stack: memory, latency, mode changes; and how punctual the executor's ticks are."""
