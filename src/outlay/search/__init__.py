"""Exhaustive search over arrays: grids in chunks, constraints, fronts. Knows no domain."""

from outlay.search.grid import CHUNK, chunks, divisors, size

__all__ = ["CHUNK", "chunks", "divisors", "size"]
