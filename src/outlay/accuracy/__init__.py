"""The judge: measured runs, read as our questions, predicted, and compared.

`resolve` turns a row into recipe, degrees and cluster; `validate` predicts rows and compares; `summarise` says how right
the predictions are, `cross` predicts rows by fits without their source. Documented in `docs/reference/records.md`.
"""

from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Record, Records, Unread, read_records
from outlay.accuracy.resolve import Resolved, resolve
from outlay.accuracy.summary import Errors, summarise
from outlay.accuracy.validate import Comparison, Prediction, Predictor, Validation, validate

__all__ = [
    "Comparison",
    "Errors",
    "Prediction",
    "Predictor",
    "Record",
    "Records",
    "Resolved",
    "Unread",
    "Validation",
    "predictor",
    "read_records",
    "resolve",
    "summarise",
    "validate",
]
