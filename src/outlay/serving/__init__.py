"""What serving a language model takes: its memory, the time of a step, and how requests fare under a load."""

from outlay.serving.batching import maximum, perform
from outlay.serving.coefficients import ServingCoefficients, load_serving
from outlay.serving.deployment import Deployment, Work
from outlay.serving.disaggregated import perform_disaggregated, prompts_kept_up_with
from outlay.serving.engines import Engine, engine_for, engine_on
from outlay.serving.formats import Format, format_for, formats
from outlay.serving.iteration import CAUSES, Iteration, iteration
from outlay.serving.kv_cache import sequence_bytes
from outlay.serving.load import Load, Performance
from outlay.serving.memory import ServingMemory, memory, most_sequences, prediction_bytes, weight_bytes
from outlay.serving.replay import Replay
from outlay.serving.requests import Requests
from outlay.serving.simulate import simulate
from outlay.serving.simulate_disaggregated import simulate_disaggregated
from outlay.serving.speculation import Speculation, own_share
from outlay.serving.steps import Steps, timed
from outlay.serving.synthetic import diurnal, poisson
from outlay.serving.traces import load_trace, read_trace
from outlay.serving.transfer import Transfer

__all__ = [
    "CAUSES",
    "Deployment",
    "Engine",
    "Format",
    "Iteration",
    "Load",
    "Performance",
    "Replay",
    "Requests",
    "ServingCoefficients",
    "ServingMemory",
    "Speculation",
    "Steps",
    "Transfer",
    "Work",
    "diurnal",
    "engine_for",
    "engine_on",
    "format_for",
    "formats",
    "iteration",
    "load_serving",
    "load_trace",
    "maximum",
    "memory",
    "most_sequences",
    "own_share",
    "perform",
    "perform_disaggregated",
    "poisson",
    "prediction_bytes",
    "prompts_kept_up_with",
    "read_trace",
    "sequence_bytes",
    "simulate",
    "simulate_disaggregated",
    "timed",
    "weight_bytes",
]
