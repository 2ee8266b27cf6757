"""Beam search: sequences that share the blocks of their prompt, and read them one by one all the same.

A prompt is computed once and held once (Kwon et al. 2023, section 4.4), so of what is computed and held each beam counts as
a sequence with its part of the prompt. Attention kernels take a beam like any sequence (TensorRT-LLM's follow its path with
a `cache_indirection`): each reads the whole prompt. What the first brought from memory the others find in the second cache,
whose rate then limits them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from outlay.catalog import Accelerator
from outlay.serving.steps import Mixture, Steps
from outlay.workload import Number

CACHE_BYTES_A_CLOCK: Final = 5120.0 / 108.0
"""Bytes a clock that the second cache reads for each processor (A100: 5,120 for 108; NVIDIA, A100 Tensor Core GPU
Architecture, 2020)."""
CACHE_SHARE: Final = 0.5
"""Share of it that reads of scattered blocks reach (assumed)."""
USUAL: Final = 0.5
"""The memory's rate over the second cache's, where a chip's processors and clock are not known (assumed)."""


def read_of_prompt(chip: Accelerator, beams: Number) -> Number:
    """What a beam reads of its prompt, as a share of it and at the memory's rate.

    >>> from outlay.catalog import accelerator
    >>> round(float(read_of_prompt(accelerator("h100-sxm"), 4.0)), 2), float(read_of_prompt(accelerator("l40s"), 4.0))
    (0.59, 0.25)
    >>> float(read_of_prompt(accelerator("h100-sxm"), 1.0))
    1.0
    """
    rate = USUAL
    if chip.cores and chip.boost_clock:
        rate = chip.memory_bandwidth / (chip.cores * chip.boost_clock * CACHE_BYTES_A_CLOCK * CACHE_SHARE)
    return np.maximum(1.0 / np.asarray(beams, dtype=float), min(rate, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RereadingSteps:
    """Steps of sequences that read more than they hold: beams, and slots of a cache that was compiled for one length."""

    plain: Steps
    reread: Number
    """Tokens that each reads beyond its own."""
    beams: Number

    def seconds(self, mixture: Mixture) -> Number:
        return self.plain.seconds(self._of(mixture))

    def watts(self, mixture: Mixture, seconds: Number | None = None) -> Number:
        return self.plain.watts(self._of(mixture), seconds)

    def _of(self, mixture: Mixture) -> Mixture:
        """The mixture with what beams read, and with its prompts whole."""
        return replace(
            mixture,
            context=mixture.context + self.reread,
            prompts=np.maximum(mixture.prompts / self.beams, 1e-9),
        )
