"""`outlay show`: what outlay knows."""

from __future__ import annotations

from outlay.cli.lazy import LazyGroup

command = LazyGroup(
    "show",
    verbs={
        "accelerators": ("outlay.cli.show_accelerators:command", "Chips: memory, bandwidth, peaks, power, links."),
        "models": ("outlay.cli.show_models:command", "Models, or a config.json: parameters, FLOP, cache."),
        "prices": ("outlay.cli.show_prices:command", "What a device-hour costs, by provider and tier."),
        "grids": ("outlay.cli.show_grids:command", "Carbon and price of electricity, by place."),
        "engines": ("outlay.cli.show_engines:command", "Serving engines: batches, chunks, cache."),
        "formats": ("outlay.cli.show_formats:command", "Number formats of weights: bits, arithmetic, scope."),
        "apis": ("outlay.cli.show_apis:command", "What hosted APIs ask for a million tokens."),
        "quality": ("outlay.cli.show_quality:command", "What compression was published to do to quality."),
        "laws": ("outlay.cli.show_laws:command", "Scaling laws: form, constants, the runs behind them."),
    },
    help="Chips, models, prices, APIs, engines, laws; with age and source.",
)
