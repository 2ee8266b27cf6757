"""The judge: measured runs, read as our questions, predicted, and compared.

`resolve` turns a row into recipe, degrees and cluster; `validate` predicts rows and compares; `summary` says how right
the predictions are, `cross` predicts rows by fits without their source. Documented in `docs/reference/records.md`.

The package imports nothing, so that an answer with a range does not load the judge.
"""
