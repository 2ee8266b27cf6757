"""Names that the shell completes: read from the catalog, quietly."""

from __future__ import annotations

import click


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Model names that start with what was typed."""
    from outlay import catalog

    return [name for name in _names(catalog.models()) if name.startswith(incomplete.lower())]


def accelerators(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Accelerator names that start with what was typed, ready for a count."""
    from outlay import catalog

    return [f"{name}:" for name in _names(catalog.accelerators()) if name.startswith(incomplete.lower())]


def bare_accelerators(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The same without the colon."""
    return [name.removesuffix(":") for name in accelerators(context, parameter, incomplete)]


def tiers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Price tiers."""
    from outlay.catalog.offers import TIERS

    return [name for name in TIERS if name.startswith(incomplete.lower())]


def providers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Everyone with a price in the catalog."""
    from outlay import catalog

    return [name for name in catalog.providers() if name.startswith(incomplete.lower())]


def grids(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Where electricity comes from."""
    from outlay import catalog

    return [name for name in _names(catalog.grids()) if name.startswith(incomplete.lower())]


def laws(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Scaling laws."""
    from outlay import catalog

    return [name for name in _names(catalog.laws()) if name.startswith(incomplete.lower())]


def engines(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Serving engines."""
    from outlay.scenarios.serving.software import engine_names

    return [name for name in engine_names() if name.startswith(incomplete.lower())]


def formats(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Number formats of weights."""
    from outlay.serving import formats as known

    return [entry.name for entry in known() if entry.name.startswith(incomplete.lower())]


def precisions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Number formats of a training."""
    from outlay.training import PRECISIONS

    return [name for name in PRECISIONS if name.startswith(incomplete.lower())]


def optimizers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Optimizers of a training."""
    from outlay.training import OPTIMIZERS

    return [name for name in OPTIMIZERS if name.startswith(incomplete.lower())]


def _names(entries: object) -> list[str]:
    """Names of catalog entries, whether they are names already or carry one."""
    return sorted(entry if isinstance(entry, str) else entry.name for entry in entries)  # type: ignore[attr-defined]
