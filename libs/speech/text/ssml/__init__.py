"""SSML: what a client may write, what is spoken of it, and what an engine is given to read for a part of it."""

from __future__ import annotations

from libs.speech.text.ssml.errors import Problem, SsmlError
from libs.speech.text.ssml.markup import Mark, Markup
from libs.speech.text.ssml.parsing import parse_ssml
from libs.speech.text.ssml.positions import plain_positions

__all__ = ["Mark", "Markup", "Problem", "SsmlError", "parse_ssml", "plain_positions"]
