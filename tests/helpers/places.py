"""Paths of files that tests use."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEACHER_FILE = Path(__file__).with_name("teacher.py")
TOY_DOMAIN = Path(__file__).with_name("toy_domain.py")
GOLDEN = ROOT / "tests" / "golden"
SHARED = Path(os.environ.get("DABS_SHARED", ROOT.parent / "shared"))
