"""Measuring search: how near to exact, how fast, how well ranked, and how fast texts become findable."""
