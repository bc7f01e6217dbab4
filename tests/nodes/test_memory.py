"""What a large thing leaves behind when it is dropped."""

import subprocess
import sys
from pathlib import Path

import pytest
from beyondmimic_diffusion.ros.lifecycle import give_back_memory

ROOT = Path(__file__).resolve().parents[2]


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


_LARGE_BLOCKS = """
from beyondmimic_diffusion.ros.lifecycle import map_large_blocks
from tests.nodes.test_memory import resident
map_large_blocks()
bytearray(b"x") * 30_000_000  # freed at once: glibc now takes blocks of this size for small ones
large, small = [], []
for _ in range(5):
    large.append(bytearray(b"x") * 20_000_000)
    small.append(bytearray(b"x") * 100_000)
used = resident()
large.clear()
print(used - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's mallopt")
def test_large_blocks_between_small_ones_are_given_back_at_once_where_they_are_mapped():
    # Without map_large_blocks 0 to 57 MiB of the 95 come back, as the heap happens to lie.
    command = [sys.executable, "-c", _LARGE_BLOCKS]
    freed = float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert freed > 90.0
