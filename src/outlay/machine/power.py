"""Electrical power of a device from what it does: idle power, and what each kind of work adds, up to its limit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from outlay.catalog import Accelerator, Server
from outlay.workload import Number

IDLE = 0.12
"""Share of the power limit that a powered, idle device draws: 50 W of an A100's 400 W, 70 to 110 W of an H100's 700 W
(`nvidia-smi` readings in P. Patel et al., "Characterizing Power Management Opportunities for LLMs in the Cloud",
ASPLOS 2024)."""

DRAW = {"arithmetic": 0.95, "memory": 0.75, "communication": 0.45, "streaming": 0.64, "attention": 0.93, "host": 0.55}
"""Share of the power limit drawn during each kind of work. Training peaks near the limit in matrix products and falls to
about half of it or less while it synchronises (same source, section 4); basis: assumed, from published curves. The last
three are of serving: products that wait for their weights, attention that reads a cache, and moments in which a loaded
device waits for its host with its clocks up; basis: fitted to 665 powers of the ML.ENERGY leaderboard v3 (2026-02), by least
squares; those of H100s fitted alone tell B200s' as well as all do."""


def power_watts(accelerator: Accelerator, activity: Mapping[str, Number]) -> Number:
    r"""Mean watts of one device that spends the given shares of its time on each kind of work, and idles the rest.

    .. math:: W = W_{limit} \bigl(i + \textstyle\sum_a s_a (d_a - i)\bigr)

    >>> from outlay.catalog import accelerator
    >>> round(power_watts(accelerator("h100-sxm-80gb"), {"arithmetic": 0.7, "communication": 0.2}), 1)
    536.9
    """
    share = IDLE + sum(part * (DRAW[kind] - IDLE) for kind, part in activity.items())
    return accelerator.tdp * share


def wall_watts(accelerator: Accelerator, server: Server, device_watts: Number, busy: Number) -> Number:
    """Mean watts of one device with its share of its server, from the mean of the device alone and its busy share.

    In a rack the server draws on while its devices idle. A machine that stands by itself sleeps with its device: it draws
    what it is known to draw at rest, and while it works what was measured, or its device and the rest of it.

    >>> from outlay.catalog import accelerator, server_for
    >>> phone = accelerator("a17-pro")
    >>> round(float(wall_watts(phone, server_for(phone), power_watts(phone, {}), 0.0)), 2)
    0.05
    """
    if server.idle_watts is None:
        return device_watts + server.host_watts / server.devices
    work: Number
    if server.work_watts is None:
        idle = power_watts(accelerator, {})
        work = idle + (device_watts - idle) / np.maximum(busy, 1e-9) + server.host_watts
    else:
        work = server.work_watts
    return server.idle_watts + np.minimum(busy, 1.0) * (work - server.idle_watts)
