"""docker-compose.yml and the image, held against what the programs expect. Needs no Docker."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
