"""Statements: quantity × unit price = amount, line by line, each line with its receipts; a total, or *at least*."""

from outlay.statement.receipt import BASES, Basis, Receipt

__all__ = ["BASES", "Basis", "Receipt"]
