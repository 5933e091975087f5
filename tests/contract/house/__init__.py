"""The rules of the house: what keeps the tree, its imports, its contracts and its set-up in order."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
