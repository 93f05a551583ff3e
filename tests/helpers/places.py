"""Paths of files that tests use."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TEACHER_FILE = Path(__file__).with_name("teacher.py")
TOY_DOMAIN = Path(__file__).with_name("toy_domain.py")
