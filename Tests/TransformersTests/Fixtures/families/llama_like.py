"""Llama and the families that are described by their differences from it, Phi and StarCoder 2 among them."""

from configuration import add, rotary

# Llama ----------------------------------------------------------------------------------------------------------------

LLAMA = {
    "vocab_size": 48,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
}


add(
    "llama",
    "biases",
    "biases everywhere, heads wider than their share, no num_key_value_heads, tied",
    LLAMA,
    {
        "attention_bias": True,
        "mlp_bias": True,
        "head_dim": 12,
        "num_key_value_heads": None,
        "hidden_size": 18,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-3,
        "hidden_act": "gelu",
    },
    spelling=5,
)
add("llama", "linear", "positions divided", LLAMA, rotary("linear", factor=4.0), dtype="float16", gguf="F16")
add(
    "llama",
    "dynamic",
    "a base that grows with the sequence beyond 16 positions",
    LLAMA,
    rotary("dynamic", factor=2.0) | {"max_position_embeddings": 16},
    lengths=(1, 7, 33, 2, 16, 17),
)
add(
    "llama",
    "llama3",
    "low frequencies divided, middle ones blended",
    LLAMA,
    rotary(
        "llama3", base=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
    )
    | {"head_dim": 16},
    gguf="F16",
)
add(
    "llama",
    "yarn",
    "YaRN with its factor of attention",
    LLAMA,
    rotary("yarn", base=500.0, factor=4.0, original_max_position_embeddings=32, beta_fast=4.0)
    | {"head_dim": 16, "max_position_embeddings": 128},
    dtype="float16",
    gguf="F16",
)
add(
    "llama",
    "yarn-keys",
    "YaRN with each of its keys, range not truncated",
    LLAMA,
    rotary(
        "yarn",
        base=500.0,
        factor=4.0,
        original_max_position_embeddings=32,
        beta_fast=6.0,
        beta_slow=0.5,
        mscale=1.5,
        mscale_all_dim=0.7,
        truncate=False,
    )
    | {"head_dim": 16, "max_position_embeddings": 128},
    spelling=5,
)
add(
    "llama",
    "yarn-attention-factor",
    "YaRN with a given factor of attention",
    LLAMA,
    rotary("yarn", base=100.0, factor=2.0, original_max_position_embeddings=32, attention_factor=0.8),
)
add(
    "llama",
    "linear-bin",
    "a pickled checkpoint",
    LLAMA,
    rotary("linear", factor=4.0),
    dtype="float16",
    twin_of="linear",
)

# Mistral --------------------------------------------------------------------------------------------------------------

MISTRAL = LLAMA | {"num_attention_heads": 6, "num_key_value_heads": 2}

add("mistral", "window", "a sliding window in every layer", MISTRAL, {"sliding_window": 5} | rotary())
add(
    "mistral",
    "no-window",
    "no sliding window, heads wider than their share",
    MISTRAL,
    {"sliding_window": None, "head_dim": 6, "tie_word_embeddings": True} | rotary(base=500.0),
    spelling=5,
    gguf="F16",
)
add(
    "mistral",
    "window-of-seven",
    "a window as long as a sequence",
    MISTRAL,
    {"sliding_window": 7} | rotary(),
    dtype="float16",
    lengths=(7, 8, 6, 20),
)

# Phi-3 ----------------------------------------------------------------------------------------------------------------

PHI3 = {
    "vocab_size": 48,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "original_max_position_embeddings": 64,
    "pad_token_id": 0,
}
SHORT, LONG = [1.0, 1.1, 1.3, 1.7], [1.2, 2.0, 4.0, 9.5]

add("phi3", "plain", "fused projections, no scaling", PHI3, rotary(base=500.0), dtype="float16", gguf="F16")
add(
    "phi3",
    "longrope",
    "short factors up to 16 positions, long ones beyond",
    PHI3,
    rotary("longrope", short_factor=SHORT, long_factor=LONG) | {"original_max_position_embeddings": 16},
    lengths=(1, 16, 33, 2, 17),
    gguf="F16",
)
add(
    "phi3",
    "longrope-su",
    "the same under its old name, with a sliding window",
    PHI3,
    rotary("longrope", short_factor=SHORT, long_factor=LONG)
    | {"original_max_position_embeddings": 16, "sliding_window": 5},
    extra_keys={
        "rope_scaling": {
            "type": "su",
            "short_factor": SHORT,
            "long_factor": LONG,
            "original_max_position_embeddings": 16,
        }
    },
)
add(
    "phi3",
    "partial",
    "half of each head rotated and scaled, factor of attention given, tied (4-mini)",
    PHI3,
    rotary("longrope", short_factor=SHORT[:2], long_factor=LONG[:2], partial_rotary_factor=0.5, attention_factor=1.4)
    | {"original_max_position_embeddings": 16, "tie_word_embeddings": True, "num_key_value_heads": None},
    spelling=5,
)

# Qwen2 ----------------------------------------------------------------------------------------------------------------

QWEN2 = LLAMA | {"num_attention_heads": 6, "num_key_value_heads": 2}

add(
    "qwen2",
    "plain",
    "biases on queries, keys and values, tied",
    QWEN2,
    {"tie_word_embeddings": True} | rotary(),
    dtype="float16",
    gguf="F16",
)
add(
    "qwen2",
    "window",
    "a sliding window from the second layer on",
    QWEN2,
    {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1, "num_hidden_layers": 3}
    | rotary(base=500.0),
)
add(
    "qwen2",
    "layer-types",
    "a sliding window in the layers that say so",
    QWEN2,
    {
        "use_sliding_window": True,
        "sliding_window": 5,
        "num_hidden_layers": 3,
        "rms_norm_eps": 1e-3,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    }
    | rotary(),
    spelling=5,
)
add(
    "qwen2",
    "unused-window",
    "a sliding window that is not used",
    QWEN2,
    {"use_sliding_window": False, "max_window_layers": 0} | rotary(),
    extra_keys={"sliding_window": 5},
)

# Qwen3 ----------------------------------------------------------------------------------------------------------------

QWEN3 = QWEN2 | {"head_dim": 8, "num_attention_heads": 4}

add("qwen3", "plain", "norms of queries and keys, heads wider than their share", QWEN3, rotary(), gguf="F16")
add(
    "qwen3",
    "window",
    "biases in attention, a sliding window from the second layer on, tied",
    QWEN3,
    {
        "attention_bias": True,
        "use_sliding_window": True,
        "sliding_window": 5,
        "max_window_layers": 1,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-3,
    }
    | rotary(base=500.0),
    spelling=5,
)

# Gemma ----------------------------------------------------------------------------------------------------------------

GEMMA = {
    "vocab_size": 48,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
}

add(
    "gemma",
    "plain",
    "norms that multiply by 1 + weight, scaled embeddings, tanh GELU under the name of the exact one",
    GEMMA,
    rotary(),
    extra_keys={"hidden_act": "gelu"},
    gguf="F16",
)
add(
    "gemma",
    "biases",
    "biases in attention, one key head, own head",
    GEMMA,
    {
        "attention_bias": True,
        "num_key_value_heads": 1,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-3,
        "hidden_act": "silu",
    }
    | rotary(base=500.0),
    spelling=5,
)

# Gemma 2 --------------------------------------------------------------------------------------------------------------

GEMMA2 = GEMMA | {
    "query_pre_attn_scalar": 12,
    "sliding_window": 5,
    "attn_logit_softcapping": 2.0,
    "final_logit_softcapping": 3.0,
}

add(
    "gemma2",
    "capped",
    "norms around the sublayers, capped logits, alternate windows",
    GEMMA2,
    {"num_hidden_layers": 3, "query_pre_attn_scalar": 8} | rotary(),
    gguf="F16",
)
add(
    "gemma2",
    "uncapped",
    "no caps, exact GELU, window in the second layer",
    GEMMA2,
    {
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "hidden_activation": "gelu",
        "layer_types": ["full_attention", "sliding_attention"],
        "rms_norm_eps": 1e-3,
    }
    | rotary(base=500.0),
    spelling=5,
    dtype="float32",
)

# Gemma 3 --------------------------------------------------------------------------------------------------------------

GEMMA3 = GEMMA | {"query_pre_attn_scalar": 12, "sliding_window": 5}


def two_rotaries(local_base, global_base, **scaling):
    return {
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": local_base},
            "full_attention": {"rope_type": "default", "rope_theta": global_base} | scaling,
        }
    }


add(
    "gemma3_text",
    "pattern",
    "norms of queries and keys, two rotary embeddings, every third layer without a window",
    GEMMA3,
    {"num_hidden_layers": 3, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
    | two_rotaries(10000.0, 500.0),
    extra_keys={"sliding_window_pattern": 3},
)
add(
    "gemma3_text",
    "six-layers",
    "the sixth layer without a window, as is usual",
    GEMMA3,
    {
        "num_hidden_layers": 6,
        "query_pre_attn_scalar": 8,
        "hidden_size": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 24,
    }
    | two_rotaries(10000.0, 1000000.0),
    gguf="F16",
)
add(
    "gemma3_text",
    "linear",
    "the rotary embedding of the layers without a window scaled, capped head",
    GEMMA3,
    {"layer_types": ["full_attention", "sliding_attention"], "final_logit_softcapping": 3.0, "rms_norm_eps": 1e-3}
    | two_rotaries(100.0, 1000.0, rope_type="linear", factor=8.0),
    spelling=5,
)

# Phi ------------------------------------------------------------------------------------------------------------------

PHI = {
    "vocab_size": 48,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
}

add(
    "phi",
    "plain",
    "parallel, half of each head rotated, biases everywhere (Phi-2)",
    PHI,
    rotary(partial_rotary_factor=0.5) | {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 64},
    dtype="float16",
    gguf="F16",
)
add(
    "phi",
    "norms",
    "norms of queries and keys, grouped, a quarter of each head rotated, exact GELU, tied",
    PHI,
    {
        "qk_layernorm": True,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
        "layer_norm_eps": 1e-3,
        "hidden_act": "gelu",
    }
    | rotary(partial_rotary_factor=0.25, base=500.0),
    spelling=5,
)

# SmolLM3 --------------------------------------------------------------------------------------------------------------

SMOLLM3 = QWEN2 | {"pad_token_id": 0}

add(
    "smollm3",
    "interval",
    "every second layer without rotary embedding",
    SMOLLM3,
    {"no_rope_layer_interval": 2, "tie_word_embeddings": True} | rotary(base=500.0),
    left_out=("no_rope_layers",),
)
add(
    "smollm3",
    "plain",
    "every fourth layer without rotary embedding, as is usual",
    SMOLLM3,
    {"num_hidden_layers": 4, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 24} | rotary(base=2e6),
    left_out=("no_rope_layers",),
    gguf="F16",
)
add(
    "smollm3",
    "list",
    "layers without rotary embedding listed, with a sliding window; biases, own head",
    SMOLLM3,
    {
        "no_rope_layers": [0, 1, 0],
        "num_hidden_layers": 3,
        "use_sliding_window": True,
        "sliding_window": 5,
        "attention_bias": True,
        "mlp_bias": True,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-3,
    }
    | rotary(),
    spelling=5,
)

# OLMo -----------------------------------------------------------------------------------------------------------------

OLMO = QWEN2 | {"pad_token_id": 0}

add(
    "olmo",
    "clipped",
    "norms without parameters, clipped queries, keys and values",
    OLMO,
    {"clip_qkv": 1.5} | rotary(),
    gguf="F16",
)
add(
    "olmo",
    "unclipped",
    "biases in attention, tied",
    OLMO,
    {"attention_bias": True, "tie_word_embeddings": True, "num_key_value_heads": None} | rotary(base=500.0),
    spelling=5,
)

# OLMo 2 ---------------------------------------------------------------------------------------------------------------

add(
    "olmo2",
    "plain",
    "norms after the sublayers, and of all queries and all keys together",
    OLMO,
    rotary(),
    dtype="float32",
    gguf="F32",
)
add(
    "olmo2",
    "biases",
    "biases in attention, tied",
    OLMO,
    {"attention_bias": True, "tie_word_embeddings": True, "rms_norm_eps": 1e-3} | rotary(base=500.0),
    spelling=5,
)

# StableLM -------------------------------------------------------------------------------------------------------------

STABLELM = PHI | {"num_key_value_heads": 2}

add(
    "stablelm",
    "sequential",
    "a quarter of each head rotated, biases on queries, keys and values",
    STABLELM,
    {"use_qkv_bias": True} | rotary(partial_rotary_factor=0.25),
    dtype="float16",
    gguf="F16",
)
add(
    "stablelm",
    "parallel",
    "parallel with one norm, norms of each head of queries and keys, half rotated",
    STABLELM,
    {"use_parallel_residual": True, "qk_layernorm": True, "layer_norm_eps": 1e-3}
    | rotary(partial_rotary_factor=0.5),
    spelling=5,
    gguf="F16",
)

# StarCoder 2 ----------------------------------------------------------------------------------------------------------

add("starcoder2", "plain", "biases, tanh GELU, tied", QWEN2, rotary(), dtype="float16", gguf="F16")
add("starcoder2", "window", "biases, tanh GELU, a sliding window, tied", QWEN2, {"sliding_window": 5} | rotary())
add(
    "starcoder2",
    "no-biases",
    "no biases, exact GELU, own head",
    QWEN2,
    {"use_bias": False, "tie_word_embeddings": False, "hidden_act": "gelu", "norm_epsilon": 1e-3} | rotary(base=500.0),
    spelling=5,
)

# Granite --------------------------------------------------------------------------------------------------------------

add(
    "granite",
    "multipliers",
    "four multipliers, tied",
    QWEN2,
    {
        "embedding_multiplier": 3.0,
        "logits_scaling": 2.5,
        "residual_multiplier": 0.4,
        "attention_multiplier": 0.3,
        "tie_word_embeddings": True,
    }
    | rotary(),
    gguf="F16",
)
add(
    "granite",
    "biases",
    "biases everywhere, multipliers of one: attention is not scaled",
    QWEN2,
    {"attention_bias": True, "mlp_bias": True, "rms_norm_eps": 1e-3} | rotary(base=500.0),
    spelling=5,
)

# Cohere ---------------------------------------------------------------------------------------------------------------

COHERE = QWEN2 | {"pad_token_id": 0}

add(
    "cohere",
    "plain",
    "parallel with one norm without bias, pairs rotated side by side, scaled logits",
    COHERE,
    rotary(),
    gguf="F16",
)
add(
    "cohere",
    "norms",
    "norms of queries and keys with weights of each head, biases in attention, own head",
    COHERE,
    {
        "use_qk_norm": True,
        "attention_bias": True,
        "logit_scale": 0.8,
        "tie_word_embeddings": False,
        "layer_norm_eps": 1e-3,
    }
    | rotary(base=500.0),
    spelling=5,
)

# Cohere 2 -------------------------------------------------------------------------------------------------------------

add(
    "cohere2",
    "pattern",
    "every second layer without window and without rotary embedding",
    COHERE,
    {
        "num_hidden_layers": 3,
        "sliding_window": 5,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    }
    | rotary(),
    extra_keys={"sliding_window_pattern": 2},
)
add(
    "cohere2",
    "plain",
    "every fourth layer without window and without rotary embedding, as is usual",
    COHERE,
    {
        "num_hidden_layers": 4,
        "hidden_size": 16,
        "num_attention_heads": 4,
        "intermediate_size": 24,
        "sliding_window": 5,
    }
    | rotary(),
    gguf="F16",
)
add(
    "cohere2",
    "layer-types",
    "biases in attention, the first layer without window",
    COHERE,
    {
        "layer_types": ["full_attention", "sliding_attention"],
        "sliding_window": 5,
        "attention_bias": True,
        "logit_scale": 0.8,
        "layer_norm_eps": 1e-3,
    }
    | rotary(base=500.0),
    spelling=5,
)

# Nemotron -------------------------------------------------------------------------------------------------------------

NEMOTRON = PHI | {"num_key_value_heads": 2}

add(
    "nemotron",
    "plain",
    "norms by 1 + weight, squared ReLU, half of each head rotated",
    NEMOTRON,
    rotary(partial_rotary_factor=0.5),
    gguf="F16",
)
add(
    "nemotron",
    "biases",
    "biases everywhere, whole heads rotated, a head width of its own",
    NEMOTRON,
    {"attention_bias": True, "mlp_bias": True, "head_dim": 12, "norm_eps": 1e-3}
    | rotary(base=500.0, partial_rotary_factor=1.0),
    spelling=5,
)
