"""What importing the leaderboard loads."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.places import ROOT


def test_only_the_command_line_may_load_torch() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "leaderboard").rglob("*.py"))]
    modules = [".".join(("dabs", *path.parts)).removesuffix(".__init__") for path in files if "cli" not in path.parts]
    assert "dabs.leaderboard.submit.verify" in modules
    code = "\n".join(f"import {name}; assert 'torch' not in sys.modules, {name!r}" for name in modules)
    found = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
