"""A recorder of all topics whose disk is full: ``python -m tests.faults.full_disk FILE``.

Says ``ready``, and records from the first line it is told. Ends with 0 once the recorder has said that it stopped.
"""

from __future__ import annotations

import resource
import signal
import sys
import time
from pathlib import Path

import rclpy
from beyondmimic_diffusion.session.mcap_file import McapFile
from beyondmimic_diffusion.session.recorder import Recorder

LIMIT = 300_000
"""Bytes that fit."""
_PATIENCE = 30.0


def main() -> int:
    """The command line."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as on a full disk: an error, not a signal
    path = Path(sys.argv[1])
    rclpy.init()
    node = rclpy.create_node("recorder_on_a_full_disk", start_parameter_services=False, enable_rosout=False)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    # Not before: the files that the middleware makes for its nodes must fit.
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    file = McapFile(path)
    recorder = Recorder(node, file)
    end = time.monotonic() + _PATIENCE
    while not recorder.trouble and time.monotonic() < end:
        time.sleep(0.02)
        recorder.poll()
    recorder.close()
    file.close()
    node.destroy_node()
    rclpy.try_shutdown()
    path.unlink(missing_ok=True)
    sys.stdout.write(f"{recorder.trouble}\n")
    return 0 if recorder.trouble else 1


if __name__ == "__main__":
    sys.exit(main())
