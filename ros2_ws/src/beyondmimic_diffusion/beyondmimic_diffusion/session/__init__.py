"""One session of the stack in simulation: start it, steer it, record it, say how it went.

The recording is the only source of the report, plots and film: all three can be made again from ``session.mcap`` alone.
"""
