"""What a large thing leaves behind when it is dropped."""

import sys
from pathlib import Path

import pytest
from beyondmimic_diffusion.ros.lifecycle import give_back_memory


def resident() -> float:
    """Memory of this process [MiB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc_trim")
def test_memory_below_what_is_still_in_use_is_given_back():
    blocks = [bytearray(b"x" * 60_000) for _ in range(2000)]  # each too small to be mapped by itself
    used = resident()
    del blocks[:-1]
    give_back_memory()
    assert resident() < used - 80.0
    assert len(blocks) == 1
