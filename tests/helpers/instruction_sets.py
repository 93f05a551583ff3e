"""Settings that make a process compute as on an older processor.

`python -m tests.helpers.instruction_sets AVX2 COMMAND ...` runs a command with them.
"""

from __future__ import annotations

import os
import sys

import numpy as np


def dispatched() -> list[str]:
    """Return the features for which numpy has faster code on this machine."""
    return list(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))


def imitations() -> dict[str, dict[str, str]]:
    """Return environment variables by the instruction set that they imitate on an x86-64 machine.

    They address numpy, PyTorch, its libraries MKL and oneDNN, the OpenBLAS of numpy and scipy, the mathematical
    functions of glibc, and the JPEG library of Pillow.
    """
    found = dispatched()
    return {
        "SSE4.2": {
            "NPY_DISABLE_CPU_FEATURES": " ".join(found),
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_CBWR": "COMPATIBLE",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "OPENBLAS_CORETYPE": "Nehalem",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-FMA,-FMA4",
            "JSIMD_FORCENONE": "1",
        },
        "AVX2": {
            "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in found if "512" in name or name == "X86_V4"),
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_CBWR": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F",
            "JSIMD_FORCESSE2": "1",
        },
    }


if __name__ == "__main__":
    name, *command = sys.argv[1:]
    os.execvpe(command[0], command, os.environ | imitations()[name])
