"""T5: an encoder and a decoder that reads it, with relative positions shared by all layers of a stack."""

from __future__ import annotations

from dataclasses import replace

from outlay.workload.architecture import Architecture, Attention, Block, Layer, Mlp
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Keys, dimensions

KEYS = Keys(hidden="d_model", depth="num_layers", heads="num_heads")
TYPES = ("t5", "mt5", "umt5")


def build(read: Reader) -> Architecture:
    """The encoder's layers come first.

    Relative positions are a table of `buckets × heads` in each stack (UMT5: in each layer). The classes of `transformers`
    tie the head to the embedding always, also where a config (T5 1.1, Flan-T5) says otherwise.
    """
    size = dimensions(read, KEYS)
    decoder_depth = read.optional_count("num_decoder_layers")
    if decoder_depth is None:
        read.assume("num_decoder_layers", size.depth, "as many as `num_layers`")
        decoder_depth = size.depth
    width = read.count("d_kv")
    attention = Attention(heads=size.heads, kv_heads=size.heads, head_dim=width, value_dim=width, causal=False)
    gated = read.text("feed_forward_proj").startswith("gated")
    layer = Layer(mixer=attention, feed_forward=Mlp(width=read.count("d_ff"), gated=gated))
    reads = replace(layer, mixer=replace(attention, causal=True), cross_attention=attention, norms=3)
    tables = size.depth + decoder_depth if read.model_type == "umt5" else 2
    if read.config.get("tie_word_embeddings") is False:
        read.assume("tie_word_embeddings", True, "the T5 classes of transformers always tie")
    return Architecture(
        name="",
        hidden=size.hidden,
        vocab=size.vocab,
        blocks=(Block(layer=layer, count=size.depth), Block(layer=reads, count=decoder_depth)),
        family="encoder-decoder",
        tied=True,
        final_norm_parameters=2 * size.hidden,
        embedding_extra=tables * read.count("relative_attention_num_buckets") * size.heads,
        dropout=read.probability("dropout_rate"),
        rotary=False,
    )
