"""The configurations: for each family the switches that change its mathematics."""

import zlib
from dataclasses import dataclass, field

from transformers import AutoConfig

# One token; fewer than any sliding window; more than any; two tokens.
LENGTHS = (1, 7, 33, 2)


@dataclass
class Configuration:
    family: str
    variant: str
    shows: str
    keys: dict
    dtype: str = "bfloat16"
    spelling: int = 4
    # Another variant, whose parameters this one holds as pytorch_model.bin, and whose expectations are its.
    twin_of: str = ""
    # The library's attention; Falcon's eager attention adds ALiBi twice.
    attention: str = "eager"
    lengths: tuple = LENGTHS
    extra_keys: dict = field(default_factory=dict)
    without_prefix: str = ""
    has_buffers: bool = False

    @property
    def name(self):
        return f"{self.family}/{self.variant}"

    @property
    def source(self):
        """The name of the configuration that has the expectations, and the safetensors."""
        return f"{self.family}/{self.twin_of or self.variant}"

    @property
    def seed(self):
        return zlib.crc32(self.source.encode())

    def config(self):
        return AutoConfig.for_model(self.family, **copy_of(self.keys))


def copy_of(value):
    """The library writes into what it is given."""
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value


CONFIGURATIONS = []


def add(family, variant, shows, base, changes=None, **options):
    CONFIGURATIONS.append(Configuration(family, variant, shows, base | (changes or {}), **options))


# GPT-2 ----------------------------------------------------------------------------------------------------------------

GPT2 = {"vocab_size": 48, "n_positions": 40, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 40}

add(
    "gpt2",
    "tied",
    "names without prefix, causal masks among the tensors",
    GPT2,
    dtype="float16",
    without_prefix="transformer.",
    has_buffers=True,
)
add("gpt2", "tied-bin", "a pickled checkpoint, its head shared", GPT2, dtype="float16", twin_of="tied")
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
    has_buffers=True,
)
add(
    "gpt_neox",
    "sequential",
    "sequential residual, whole heads rotated with another base, gelu_new",
    GPT_NEOX,
    {
        "use_parallel_residual": False,
        "hidden_act": "gelu_new",
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 1.0},
    },
    spelling=5,
)
add(
    "gpt_neox",
    "no-attention-bias",
    "no biases in attention, a quarter of each head rotated, linear scaling, tied",
    GPT_NEOX,
    {
        "attention_bias": False,
        "tie_word_embeddings": True,
        "layer_norm_eps": 1e-3,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
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

add("bloom", "four-heads", "ALiBi, names without prefix", BLOOM, dtype="float16", without_prefix="transformer.")
add(
    "bloom",
    "six-heads",
    "ALiBi slopes of a number of heads that is no power of two, own head",
    BLOOM,
    {"hidden_size": 24, "n_head": 6, "tie_word_embeddings": False},
    spelling=5,
)
add(
    "bloom",
    "residual-after-norm",
    "the residual stream goes through the norms",
    BLOOM,
    {"apply_residual_connection_post_layernorm": True, "n_head": 2, "layer_norm_epsilon": 1e-3},
    dtype="float32",
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

add("falcon", "multi-query", "one key head, parallel residual with one norm, rotary embedding (7B)", FALCON)
add(
    "falcon",
    "grouped",
    "key heads in groups, parallel residual with two norms, own head (40B)",
    FALCON,
    {
        "new_decoder_architecture": True,
        "num_kv_heads": 2,
        "tie_word_embeddings": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
    },
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
    },
)
add(
    "falcon",
    "alibi-four-heads",
    "ALiBi with slopes that bfloat16 holds, sequential, biases, tanh GELU (RW)",
    FALCON,
    {
        "hidden_size": 16,
        "num_attention_heads": 4,
        "alibi": True,
        "multi_query": False,
        "parallel_attn": False,
        "bias": True,
        "activation": "gelu_pytorch_tanh",
    },
    attention="sdpa",
    dtype="float16",
)
add(
    "falcon",
    "alibi-six-heads",
    "ALiBi rounded to bfloat16, parallel",
    FALCON,
    {"alibi": True, "multi_query": False, "ffn_hidden_size": None, "hidden_size": 18, "num_attention_heads": 6},
    attention="sdpa",
    spelling=5,
)
add(
    "falcon",
    "separate",
    "query, key and value of each head together, rotary embedding, sequential",
    FALCON,
    {"multi_query": False, "parallel_attn": False},
)

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


def rotary(kind="default", base=10000.0, **keys):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": base, **keys}}


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
add("llama", "linear", "positions divided", LLAMA, rotary("linear", factor=4.0), dtype="float16")
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
)
add(
    "llama",
    "yarn",
    "YaRN with its factor of attention",
    LLAMA,
    rotary("yarn", base=500.0, factor=4.0, original_max_position_embeddings=32, beta_fast=4.0)
    | {"head_dim": 16, "max_position_embeddings": 128},
    dtype="float16",
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

add("phi3", "plain", "fused projections, no scaling", PHI3, rotary(base=500.0), dtype="float16")
add(
    "phi3",
    "longrope",
    "short factors up to 16 positions, long ones beyond",
    PHI3,
    rotary("longrope", short_factor=SHORT, long_factor=LONG) | {"original_max_position_embeddings": 16},
    lengths=(1, 16, 33, 2, 17),
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
