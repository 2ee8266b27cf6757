"""How a model and a batch are divided among devices: degrees, what is legal, and where ranks are placed."""

from outlay.layout.layout import SHORT, Layout, Recompute, describe, parse
from outlay.layout.legal import RULES, Problem, Rule, broken_rules, legal

__all__ = ["RULES", "SHORT", "Layout", "Problem", "Recompute", "Rule", "broken_rules", "describe", "legal", "parse"]
