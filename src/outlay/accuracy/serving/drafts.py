"""What a row drafts with, on the devices of its deployment."""

from __future__ import annotations

from dataclasses import replace

from outlay.accuracy.records import Record
from outlay.accuracy.serving.drafting import Drafting
from outlay.accuracy.serving.models import architecture_of
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.serving import Deployment, Speculation, own_share, prediction_bytes, weight_bytes


def drafting_bytes(deployment: Deployment, speculation: Speculation) -> float:
    """Bytes of weights on a device that draft."""
    if speculation.draft is not None:
        return float(weight_bytes(speculation.draft))
    return float(prediction_bytes(deployment, 1)) if speculation.draft_share else 0.0


def speculation_of(found: Drafting | None, deployment: Deployment) -> tuple[Speculation | None, tuple[str, ...]]:
    """How the row's tokens are drafted, and what was assumed; a draft model is split as the model is, without its stages."""
    if found is None:
        return None, ()
    if found.means == "model":
        layout = deployment.layout
        if not found.model:
            raise InputError(
                "`notes` say that another model drafts, and not which",
                expected="`draft=llama-3.2-1b k=3`",
                hint="name it, or leave the row out",
            )
        try:
            named = Record(id="", source="", line=0, words={"model": found.model}, numbers={})
            architecture, assumed = architecture_of(named)
        except InputError:
            raise InputError(
                f"`notes` draft with `{found.model[:40]}`, which is no model of known size",
                hint="name a model that `outlay show models` lists, or leave the row out",
            ) from None
        split = Layout(tensor=layout.tensor * layout.data * layout.pipeline)
        draft = replace(deployment, architecture=architecture, layout=split, held=0.0)
        said = (*found.assumed, *(f"draft: {text}" for text in assumed))
        return Speculation(drafted=found.drafted, acceptance=found.acceptance, draft=draft), said
    share = 0.0 if found.means == "lookup" else own_share(deployment.architecture)
    return Speculation(drafted=found.drafted, acceptance=found.acceptance, draft_share=share), found.assumed
