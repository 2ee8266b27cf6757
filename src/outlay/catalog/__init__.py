"""Facts, each with a receipt: accelerators, servers, prices, grids, factors, failures, models; and the user's own.

Names load on use, so that importing the catalog costs nothing. Modules have other names than the functions they offer
(`devices` holds `accelerators()`), because importing a submodule would put it in the function's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.on_use import on_use

if TYPE_CHECKING:
    from outlay.catalog.compressed import Quality as Quality
    from outlay.catalog.compressed import quality as quality
    from outlay.catalog.devices import Accelerator as Accelerator
    from outlay.catalog.devices import accelerator as accelerator
    from outlay.catalog.devices import accelerators as accelerators
    from outlay.catalog.electricity import Grid as Grid
    from outlay.catalog.electricity import grid as grid
    from outlay.catalog.electricity import grids as grids
    from outlay.catalog.figures import Factor as Factor
    from outlay.catalog.figures import embodied_carbon as embodied_carbon
    from outlay.catalog.figures import factor as factor
    from outlay.catalog.figures import factors as factors
    from outlay.catalog.figures import pue as pue
    from outlay.catalog.interruptions import Failure as Failure
    from outlay.catalog.interruptions import failures as failures
    from outlay.catalog.nodes import Server as Server
    from outlay.catalog.nodes import server as server
    from outlay.catalog.nodes import server_for as server_for
    from outlay.catalog.nodes import servers as servers
    from outlay.catalog.offers import Price as Price
    from outlay.catalog.offers import PriceChoice as PriceChoice
    from outlay.catalog.offers import ServicePrice as ServicePrice
    from outlay.catalog.offers import age_days as age_days
    from outlay.catalog.offers import price_for as price_for
    from outlay.catalog.offers import prices as prices
    from outlay.catalog.offers import providers as providers
    from outlay.catalog.offers import service_prices as service_prices
    from outlay.catalog.offers import stale as stale
    from outlay.catalog.overrides import use as use
    from outlay.catalog.published import ModelFacts as ModelFacts
    from outlay.catalog.published import model_config as model_config
    from outlay.catalog.published import models as models
    from outlay.catalog.recognise import resolve_accelerator as resolve_accelerator
    from outlay.catalog.scaling_laws import LawFacts as LawFacts
    from outlay.catalog.scaling_laws import law as law
    from outlay.catalog.scaling_laws import laws as laws
    from outlay.catalog.sellers import unlinked as unlinked

__getattr__ = on_use(
    __name__,
    {
        "compressed": ("Quality", "quality"),
        "devices": ("Accelerator", "accelerator", "accelerators"),
        "electricity": ("Grid", "grid", "grids"),
        "figures": ("Factor", "embodied_carbon", "factor", "factors", "pue"),
        "interruptions": ("Failure", "failures"),
        "nodes": ("Server", "server", "server_for", "servers"),
        "offers": (
            *("Price", "PriceChoice", "ServicePrice", "age_days", "price_for", "prices", "providers"),
            *("service_prices", "stale"),
        ),
        "overrides": ("use",),
        "published": ("ModelFacts", "model_config", "models"),
        "recognise": ("resolve_accelerator",),
        "scaling_laws": ("LawFacts", "law", "laws"),
        "sellers": ("unlinked",),
    },
)
