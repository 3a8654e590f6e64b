"""A configuration of a family, and the list that `gpt_like.py` and `llama_like.py` fill."""

import zlib
from dataclasses import dataclass, field

from transformers import AutoConfig

# One token; fewer than any sliding window; more than any; two tokens.
LENGTHS = (1, 7, 21, 2)


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
    # Keys of the file that the configuration does not have, and those to leave out because others imply them.
    extra_keys: dict = field(default_factory=dict)
    left_out: tuple = ()
    without_prefix: str = ""
    has_buffers: bool = False
    # Type of the matrices in its GGUF twin, if llama.cpp can express the configuration.
    gguf: str = ""

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


def rotary(kind="default", base=10000.0, **keys):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": base, **keys}}
