"""Families with layer norms and one matrix into the MLP: the switches that change their mathematics."""

from configuration import add

# GPT-2 ----------------------------------------------------------------------------------------------------------------

GPT2 = {"vocab_size": 48, "n_positions": 40, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 40}
# The MLP as wide as is usual.
PLAIN = {"n_embd": 16, "n_head": 2, "n_inner": None}

add(
    "gpt2",
    "tied",
    "names without prefix, causal masks among the tensors",
    GPT2 | PLAIN,
    dtype="float16",
    gguf="F16",
    extra_keys={"n_ctx": 40},
    without_prefix="transformer.",
    has_buffers=True,
)
add("gpt2", "tied-bin", "a pickled checkpoint, its head shared", GPT2 | PLAIN, dtype="float16", twin_of="tied")
add(
    "gpt2",
    "untied",
    "own head, logits divided by the number of the layer, exact GELU, wide MLP",
    GPT2,
    {
        "n_layer": 3,
        "n_embd": 16,
        "n_head": 4,
        "n_inner": None,
        "tie_word_embeddings": False,
        "scale_attn_by_inverse_layer_idx": True,
        "activation_function": "gelu",
        "layer_norm_epsilon": 1e-3,
    },
    spelling=5,
)
add(
    "gpt2",
    "unscaled",
    "logits not divided by the root of the head width, ReLU",
    GPT2,
    {"scale_attn_weights": False, "activation_function": "relu"},
    dtype="float16",
)

# GPT-J ----------------------------------------------------------------------------------------------------------------

GPTJ = {"vocab_size": 48, "n_positions": 40, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 40, "rotary_dim": 4}

add("gptj", "partial", "half of each head rotated, pairs side by side", GPTJ, dtype="float16", has_buffers=True)
add(
    "gptj",
    "whole",
    "whole heads rotated, tied head with its bias, wide MLP",
    GPTJ,
    {
        "n_embd": 16,
        "n_head": 2,
        "n_inner": None,
        "rotary_dim": 8,
        "tie_word_embeddings": True,
        "n_layer": 3,
        "layer_norm_epsilon": 1e-3,
    },
    spelling=5,
)

# GPT-NeoX -------------------------------------------------------------------------------------------------------------

GPT_NEOX = {
    "vocab_size": 48,
    "max_position_embeddings": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
}

add(
    "gpt_neox",
    "parallel",
    "parallel residual with two norms, half of each head rotated",
    GPT_NEOX,
    dtype="float16",
    gguf="F16",
    has_buffers=True,
)
add(
    "gpt_neox",
    "sequential",
    "sequential residual, whole heads rotated",
    GPT_NEOX,
    {
        "use_parallel_residual": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0},
    },
    gguf="F16",
    spelling=5,
)
add(
    "gpt_neox",
    "no-attention-bias",
    "no biases in attention, a quarter of each head rotated, linear scaling, gelu_new, tied",
    GPT_NEOX,
    {
        "attention_bias": False,
        "hidden_act": "gelu_new",
        "tie_word_embeddings": True,
        "layer_norm_eps": 1e-3,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0, "partial_rotary_factor": 0.25},
    },
)

# OPT ------------------------------------------------------------------------------------------------------------------

OPT = {
    "vocab_size": 48,
    "max_position_embeddings": 40,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "ffn_dim": 40,
    "word_embed_proj_dim": 24,
}

add("opt", "before", "norms before the sublayers", OPT, dtype="float16")
add(
    "opt",
    "before-bin",
    "a pickled checkpoint whose names lack their prefix",
    OPT,
    dtype="float16",
    twin_of="before",
    without_prefix="model.",
)
add(
    "opt",
    "after",
    "norms after the sublayers, embeddings projected, no final norm",
    OPT,
    {"do_layer_norm_before": False, "word_embed_proj_dim": 16},
    dtype="float16",
)
add(
    "opt",
    "no-bias",
    "no biases, norms without parameters, own head, GELU",
    OPT,
    {
        "enable_bias": False,
        "layer_norm_elementwise_affine": False,
        "tie_word_embeddings": False,
        "activation_function": "gelu",
    },
    spelling=5,
)
add(
    "opt",
    "no-final-norm",
    "norms before the sublayers but none at the end, embeddings projected",
    OPT,
    {"_remove_final_layer_norm": True, "word_embed_proj_dim": 12},
    spelling=5,
)

# BLOOM ----------------------------------------------------------------------------------------------------------------

BLOOM = {"vocab_size": 48, "hidden_size": 16, "n_layer": 2, "n_head": 4}

add(
    "bloom",
    "four-heads",
    "ALiBi, names without prefix",
    BLOOM,
    dtype="float16",
    gguf="F16",
    without_prefix="transformer.",
    extra_keys={"seq_length": 64},
)
add(
    "bloom",
    "six-heads",
    "ALiBi slopes of a number of heads that is no power of two, own head",
    BLOOM,
    {"hidden_size": 24, "n_head": 6, "tie_word_embeddings": False},
    gguf="F16",
    spelling=5,
    extra_keys={"seq_length": 64},
)
add("bloom", "four-heads-bin", "a pickled checkpoint", BLOOM, dtype="float16", twin_of="four-heads")

# Falcon ---------------------------------------------------------------------------------------------------------------

FALCON = {
    "vocab_size": 48,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "max_position_embeddings": 64,
    "ffn_hidden_size": 40,
}

add(
    "falcon",
    "multi-query",
    "one key head, parallel residual with one norm, rotary embedding (7B)",
    FALCON,
    {"ffn_hidden_size": None, "hidden_size": 16, "num_attention_heads": 4},
    gguf="F16",
)
add(
    "falcon",
    "grouped",
    "key heads in groups, parallel residual with two norms, own head (40B)",
    FALCON,
    {
        "new_decoder_architecture": True,
        "num_kv_heads": 2,
        "ffn_hidden_size": None,
        "hidden_size": 16,
        "num_attention_heads": 4,
        "tie_word_embeddings": False,
    },
    gguf="F16",
    spelling=5,
)
add(
    "falcon",
    "grouped-one-norm",
    "key heads in groups, parallel residual with one norm, biases (11B)",
    FALCON,
    {
        "new_decoder_architecture": True,
        "num_kv_heads": 3,
        "num_ln_in_parallel_attn": 1,
        "bias": True,
        "layer_norm_epsilon": 1e-3,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
    },
)
add(
    "falcon",
    "separate",
    "query, key and value of each head together, rotary embedding, sequential",
    FALCON,
    {"multi_query": False, "parallel_attn": False},
)

# GPTBigCode -----------------------------------------------------------------------------------------------------------

add(
    "gpt_bigcode",
    "multi-query",
    "one key head, causal masks among the tensors",
    GPT2 | PLAIN,
    gguf="F16",
    dtype="float16",
    has_buffers=True,
)
add(
    "gpt_bigcode",
    "multi-head",
    "query, key and value of each head together, logits not scaled, exact GELU, own head",
    GPT2,
    {
        "multi_query": False,
        "scale_attn_weights": False,
        "activation_function": "gelu",
        "tie_word_embeddings": False,
        "layer_norm_epsilon": 1e-3,
    },
    spelling=5,
)

# MPT ------------------------------------------------------------------------------------------------------------------

MPT = {"vocab_size": 48, "d_model": 16, "n_heads": 4, "n_layers": 2, "max_seq_len": 64}

add("mpt", "plain", "ALiBi, norms without biases, exact GELU", MPT, gguf="F16")
add(
    "mpt",
    "clipped",
    "six heads, clipped queries, keys and values, a given scale of attention",
    MPT,
    {"d_model": 24, "n_heads": 6, "layer_norm_epsilon": 1e-3, "attn_config": {"clip_qkv": 1.2, "softmax_scale": 0.7}},
    spelling=5,
)
