"""The judge of serving: measured latencies, rates and energy, read as our questions, predicted, and compared.

`resolve` turns a row into a deployment and a session; `validate_serving` predicts rows and compares; `judged` does so with
the coefficients and ranges that the catalog ships. Documented in `docs/reference/serving-records.md`.
"""

from outlay.accuracy.serving.judged import judged
from outlay.accuracy.serving.predict import ServingPrediction, ServingPredictor, predictor
from outlay.accuracy.serving.ranges import UNTRIED
from outlay.accuracy.serving.resolve import Question, resolve
from outlay.accuracy.serving.validate import is_serving_file, read_serving, validate_serving

__all__ = [
    "UNTRIED",
    "Question",
    "ServingPrediction",
    "ServingPredictor",
    "is_serving_file",
    "judged",
    "predictor",
    "read_serving",
    "resolve",
    "validate_serving",
]
