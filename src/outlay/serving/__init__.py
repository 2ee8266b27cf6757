"""What serving a language model takes: its memory, the time of a step, and how requests fare under a load."""

from outlay.serving.batching import maximum, perform
from outlay.serving.coefficients import ServingCoefficients, load_serving
from outlay.serving.deployment import Deployment, Work
from outlay.serving.engines import Engine, engine_for
from outlay.serving.formats import Format, format_for, formats
from outlay.serving.iteration import CAUSES, Iteration, iteration
from outlay.serving.kv_cache import sequence_bytes
from outlay.serving.load import Load, Performance
from outlay.serving.memory import ServingMemory, memory, most_sequences, weight_bytes
from outlay.serving.speculation import Speculation

__all__ = [
    "CAUSES",
    "Deployment",
    "Engine",
    "Format",
    "Iteration",
    "Load",
    "Performance",
    "ServingCoefficients",
    "ServingMemory",
    "Speculation",
    "Work",
    "engine_for",
    "format_for",
    "formats",
    "iteration",
    "load_serving",
    "maximum",
    "memory",
    "most_sequences",
    "perform",
    "sequence_bytes",
    "weight_bytes",
]
