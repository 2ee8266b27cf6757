"""The answers, each a question turned into a statement: the only place where the chapters meet."""
