#!/usr/bin/env python3
"""Makes the GGUF twins of the configurations that llama.cpp can express: FAMILY/VARIANT.gguf beside the folder.

Usage: make_gguf.py LLAMA_CPP [NAME ...], where LLAMA_CPP is a checkout of llama.cpp that has the folder `conversion`;
also needs what `make_families.py` needs, after which it runs. Names and layouts of the tensors and the keys are the
converter's; only the vocabulary, which these models lack, is made up: one token for each printable character.

Twins have the expectations of their folders. Matrices are float16, which holds the values of those of bfloat16, too, but
for a rounding of 3e-8. llama.cpp itself gives these logits to 1e-5 from float32 files, with two exceptions: its only GELU
is the tanh form, and it chooses the long factors of Phi-3 by the size of its context, not by the length of a sequence.
"""

import importlib
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

import gpt_like  # noqa: F401
import llama_like  # noqa: F401
from configuration import CONFIGURATIONS

here = Path(__file__).parent


def hyperparameters(folder, entry):
    """The keys of config.json and those that it leaves to the library, as the converter expects them."""
    keys = AutoConfig.from_pretrained(folder).to_dict() | json.loads((folder / "config.json").read_text())
    if entry.family == "falcon" and not keys["new_decoder_architecture"]:
        keys["num_kv_heads"] = 1
    if entry.family == "gpt_neox":
        keys["rotary_pct"] = entry.keys["rope_parameters"]["partial_rotary_factor"]
    if entry.family == "mpt":
        keys["architectures"] = ["MPTForCausalLM"]
    if entry.family == "cohere2":
        keys["rotary_pct"] = 1.0
    return keys


def set_vocabulary(gguf, writer, size):
    tokens = ["<|endoftext|>"] + [chr(code) for code in range(ord("!"), ord("!") + size - 2)] + ['"#']
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (size - 1))
    writer.add_token_merges(['" #'])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)


def prepare_tensors(path):
    """Leaves out causal masks and stacks the norms of heads: the converter fails to do so."""
    tensors, norms = {}, {}
    for name, values in load_file(path).items():
        if ".norms." in name:
            norms.setdefault(name.partition(".norms.")[0] + ".weight", []).append((name, values))
        elif not name.endswith((".attn.bias", ".masked_bias")):
            tensors[name] = values
    stacked = {name: torch.stack([values for _, values in sorted(rows)]) for name, rows in norms.items()}
    save_file(tensors | stacked, path, metadata={"format": "pt"})


def convert(conversion, gguf, entry):
    kind = gguf.LlamaFileType.ALL_F32 if entry.gguf == "F32" else gguf.LlamaFileType.MOSTLY_F16
    path = here / f"{entry.name}.gguf"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / entry.name.replace("/", "-")
        shutil.copytree(here / entry.name, folder)
        (folder / "expected.safetensors").unlink()
        prepare_tensors(folder / "model.safetensors")
        keys = hyperparameters(folder, entry)
        # Some converters count the tokens.
        vocabulary = {str(index): index for index in range(keys["vocab_size"])}
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
        kind_of_model = conversion.get_model_class(keys["architectures"][0])
        model = kind_of_model(folder, kind, path, eager=True, model_name="Small", hparams=keys)
        model.set_vocab = lambda: set_vocabulary(gguf, model.gguf_writer, keys["vocab_size"])
        model.write()
    print(f"{path.relative_to(here)}: {path.stat().st_size / 1e3:.1f} kB")


def main():
    root, wanted = Path(sys.argv[1]), tuple(sys.argv[2:])
    sys.path[1:1] = [str(root), str(root / "gguf-py")]
    conversion, gguf = importlib.import_module("conversion"), importlib.import_module("gguf")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    for entry in CONFIGURATIONS:
        if entry.gguf and (not wanted or entry.name.startswith(wanted)):
            convert(conversion, gguf, entry)


if __name__ == "__main__":
    main()
