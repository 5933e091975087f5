"""What clients can do with generations, and what becomes of them."""

from __future__ import annotations

from services.generation.usecases.deps import Deps

__all__ = ["Deps"]
