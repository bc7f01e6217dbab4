"""Policy artifacts: manifest, backends of the denoiser, golden-vector check.

The backends need onnxruntime or torch and are therefore imported only when a policy is loaded.
"""

from .exchange import check_exchangeable, kind_of, load_successor
from .factory import BACKENDS, INT8, LoadedPolicy, load_candidates, load_policy
from .golden import check_golden, make_golden, save_golden
from .manifest import (
    SCHEMA_VERSION,
    KeyPointFact,
    NormalizerStats,
    PolicyManifest,
    SamplingDefaults,
)

__all__ = [
    "BACKENDS",
    "INT8",
    "SCHEMA_VERSION",
    "KeyPointFact",
    "LoadedPolicy",
    "NormalizerStats",
    "PolicyManifest",
    "SamplingDefaults",
    "check_exchangeable",
    "check_golden",
    "kind_of",
    "load_candidates",
    "load_policy",
    "load_successor",
    "make_golden",
    "save_golden",
]
