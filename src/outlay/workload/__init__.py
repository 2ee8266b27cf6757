"""What a model is and how much work it does: architecture, parameters, FLOP, caches, operators."""

from outlay.workload.architecture import Architecture, transformer
from outlay.workload.config import from_config, load_config, supported
from outlay.workload.parameters import ParameterCount, parameters

__all__ = ["Architecture", "ParameterCount", "from_config", "load_config", "parameters", "supported", "transformer"]
