"""The judge of serving: measured latencies, rates and energy, read as our questions, predicted, and compared.

`resolve` turns a row into a deployment and a session; `validate` predicts rows and compares; `judged` does so with the
coefficients and ranges that the catalog ships. Documented in `docs/reference/serving-records.md`.

The package imports nothing: see :mod:`outlay.accuracy`.
"""
