"""Record in wheels and source archives which commit they were built from; pyproject.toml says everything else."""

import json
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
STAMP = Path("dabs") / "built_from.json"  # dabs/utils/environment.py reads it


def git(*words: str) -> str | None:
    """Return what git prints about this folder, or None if there is no git or no repository."""
    command = ["git", "-C", str(ROOT), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def write_stamp(folder: Path) -> None:
    """Write the stamp below a folder; outside a checkout, where a source archive brings its own, do nothing."""
    commit = git("rev-parse", "HEAD") if git("ls-files", "--error-unmatch", "setup.py") is not None else None
    if commit is not None:
        state = {"git_commit": commit, "git_dirty": bool(git("status", "--porcelain", "-uno"))}
        (folder / STAMP).write_text(json.dumps(state) + "\n", encoding="utf-8")


class StampedBuild(build_py):
    """Builds the package with a stamp; an editable install has none, because its checkout changes."""

    def run(self) -> None:
        """Build, then write the stamp. A folder left by an earlier build may hold results that are gone since."""
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(Path(self.build_lib) / "dabs", ignore_errors=True)
        super().run()
        write_stamp(Path(self.build_lib))


class StampedArchive(sdist):
    """Makes a source archive with a stamp."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Collect the files, then write the stamp."""
        super().make_release_tree(base_dir, files)
        write_stamp(Path(base_dir))


setup(cmdclass={"build_py": StampedBuild, "sdist": StampedArchive})
