#!/usr/bin/env python3
"""Makes the fixtures beside this script. Needs the packages torch, transformers, numpy, safetensors, gguf and tokenizers.

tokenizer.json     a byte-level tokenizer of 64 ids, for the models of TransformersTests' fixtures, which have none
text.txt           a text whose characters it knows
choices.jsonl      questions with choices: contexts that end in spaces, that are empty, that are longer than the positions
expected.json      what an evaluation has to give, from float64 logits of TransformersTests' llama-tied and, as another
                   model of the same vocabulary, of llama-tied without its last layer and of llama-gguf/Q4_0.gguf

Every figure is computed here from its definition in float64. In expected.json, "ids" holds sequences of token ids; each
case holds the sums of its sequences and the figures made of them.
"""

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaForCausalLM

here = Path(__file__).parent
checkpoints = here.parent.parent / "TransformersTests" / "Fixtures"
specification = importlib.util.spec_from_file_location("models", checkpoints / "make_fixtures.py")
library = importlib.util.module_from_spec(specification)
specification.loader.exec_module(library)

TEXT = """the old man and the sea. the man said, the sea is old, and the sand is cold.
a cat sat on a mat in the sun, and the cat saw the rat. the rat ran, the cat ran, and the man sat.
on the third day the sun came late, and the sea was dark. no one said a word, and the cat slept on the mat.
"""

QUESTIONS = [
    {"context": "the cat sat on the", "choices": [" mat", " sea and the sun", " rat"], "answer": 0},
    {"context": "the sun came ", "choices": ["late", "and the old man said no word"], "answer": 0},
    {"context": "the sea is \n ", "choices": ["old", "cold, cold, cold", "dark"], "answer": 2},
    {"context": "", "choices": ["the man", "a rat ran"], "answer": 1},
    {"context": TEXT + TEXT, "choices": [" the cat", " a word was said", " no"], "answer": 1},
    {"context": "no one said a", "choices": [" word", "n old word", " cat", " mat"], "answer": 3},
]


# Models ---------------------------------------------------------------------------------------------------------------


def load(path, **options):
    model = LlamaForCausalLM.from_pretrained(path, dtype=torch.float64, **options).eval()
    model.config._attn_implementation = "float64"
    for module in model.modules():
        if type(module).__name__ == "LlamaRMSNorm":
            module.forward = library.float64_norm(module)
    model.model.rotary_emb.forward = library.float64_rotary(model.config)
    return model


def log_probabilities(model, ids):
    """(tokens, vocabulary) float64."""
    with torch.no_grad():
        logits = model(torch.tensor(ids)[None], use_cache=False).logits[0]
    assert logits.dtype == torch.float64
    return torch.log_softmax(logits, -1).numpy()


def quantized():
    """llama-tied with its matrices rounded to Q4_0, as the file of llama-gguf has them."""
    model = load(checkpoints / "llama-tied")
    reader = GGUFReader(checkpoints / "llama-gguf" / "Q4_0.gguf")
    tensors = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }
    for index, layer in enumerate(model.model.layers):
        for path, name in names.items():
            values = tensors[f"blk.{index}.{name}.weight"]
            if name in heads:
                # llama.cpp keeps the two halves of a head's rotary pairs interleaved.
                count, width = heads[name], values.shape[0] // heads[name]
                values = values.reshape(count, width // 2, 2, -1).swapaxes(1, 2).reshape(values.shape)
            layer.get_submodule(path).weight.data = torch.from_numpy(np.array(values, dtype=np.float64))
    model.model.norm.weight.data = torch.from_numpy(np.array(tensors["output_norm.weight"], dtype=np.float64))
    table = torch.from_numpy(np.array(tensors["token_embd.weight"], dtype=np.float64))
    model.model.embed_tokens.weight.data = table
    model.lm_head.weight.data = table
    return model


def draw(model, length, random):
    """Ids of which every other one, about, is what the model expects."""
    ids = [int(random.integers(0, 64))]
    while len(ids) < length:
        expected = int(log_probabilities(model, ids)[-1].argmax())
        ids.append(expected if random.random() < 0.5 else int(random.integers(0, 64)))
    return ids


# Figures --------------------------------------------------------------------------------------------------------------


def ratio(sums, counts):
    """The mean, and the error of a ratio estimator over clusters; None for one cluster."""
    pairs = [(total, count) for total, count in zip(sums, counts) if count > 0]
    total = sum(count for _, count in pairs)
    mean = sum(value for value, _ in pairs) / total
    if len(pairs) < 2:
        return mean, None
    squares = sum((value - mean * count) ** 2 for value, count in pairs)
    return mean, math.sqrt(len(pairs) / (len(pairs) - 1) * squares) / total


def score(model, sequences, contexts=None, texts=None):
    """The figures of one model; `texts` gives the bytes of each sequence's scored tokens."""
    contexts = contexts or [1] * len(sequences)
    nats, correct, counts = [], [], []
    for ids, context in zip(sequences, contexts):
        rows = log_probabilities(model, ids)
        first = max(1, context)
        losses = [-rows[place - 1, ids[place]] for place in range(first, len(ids))]
        nats.append(float(sum(losses)))
        correct.append(sum(int(rows[place - 1].argmax() == ids[place]) for place in range(first, len(ids))))
        counts.append(len(losses))
    entropy, error = ratio(nats, counts)
    accuracy, accuracy_error = ratio(correct, counts)
    figures = {
        "nats": nats, "correct": correct, "counts": counts, "cross_entropy": entropy,
        "cross_entropy_standard_error": error, "perplexity": math.exp(entropy),
        "perplexity_standard_error": None if error is None else math.exp(entropy) * error,
        "accuracy": accuracy, "accuracy_standard_error": accuracy_error,
    }
    if texts:
        bits, bits_error = ratio([value / math.log(2) for value in nats], [len(text) for text in texts])
        figures |= {
            "bytes": [len(text) for text in texts], "bits_per_byte": bits, "bits_per_byte_standard_error": bits_error,
        }
    return figures


def compare(reference, model, sequences):
    """KL(reference || model) at every position that predicts a token of the sequence."""
    nats, agreement, counts, every = [], [], [], []
    for ids in sequences:
        p, q = log_probabilities(reference, ids)[:-1], log_probabilities(model, ids)[:-1]
        divergences = (np.exp(p) * (p - q)).sum(-1)
        every += list(divergences)
        nats.append(float(divergences.sum()))
        agreement.append(int((p.argmax(-1) == q.argmax(-1)).sum()))
        counts.append(len(divergences))
    mean, error = ratio(nats, counts)
    share, share_error = ratio(agreement, counts)
    return {
        "nats": nats, "agreement_counts": agreement, "counts": counts, "kl": mean, "kl_standard_error": error,
        "kl_quantiles": [float(value) for value in np.quantile(every, [0.5, 0.9, 0.99, 1])],
        "agreement": share, "agreement_standard_error": share_error,
    }


# Text -----------------------------------------------------------------------------------------------------------------


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    tokenizer.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=64, special_tokens=special, show_progress=False))
    assert tokenizer.get_vocab_size() == 64
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(here / "tokenizer.json"))
    return tokenizer


def windows(ids, length, step):
    """Windows of `length` ids with the beginning in front, each `step` on, and how many first ids are only context."""
    sequences, contexts, end = [], [], 0
    for begin in range(0, len(ids), step):
        piece = ids[begin : begin + length - 1]
        sequences.append([1] + piece)
        contexts.append(1 + end - begin)
        end = begin + len(piece)
        if end == len(ids):
            break
    return sequences, contexts


def text_case(model, tokenizer, ids, length, step):
    sequences, contexts = windows(ids, length, step)
    texts = [
        tokenizer.decode(sequence[context:], skip_special_tokens=False).encode()
        for sequence, context in zip(sequences, contexts)
    ]
    figures = score(model, sequences, contexts, texts)
    assert sum(figures["counts"]) == len(ids) and b"".join(texts).decode() == TEXT
    return {"sequence_length": length, "stride": step, "sequences": sequences, "contexts": contexts} | figures


def choices_case(model, tokenizer, with_beginning):
    """Accuracies as lm-evaluation-harness has them for continuations."""
    limit = model.config.max_position_embeddings
    beginning = [1] if with_beginning else []

    def encode(text):
        return beginning + tokenizer.encode(text, add_special_tokens=False).ids

    plain, normalized, every = [], [], []
    for question in QUESTIONS:
        scores = []
        for choice in question["choices"]:
            context, continuation = question["context"], choice
            if context == "":
                tail = encode(continuation)
                head, tail = ([1], tail) if not with_beginning else (tail[:1], tail[1:])
            else:
                spaces = len(context) - len(context.rstrip())
                if spaces > 0:
                    context, continuation = context[:-spaces], context[-spaces:] + continuation
                whole, head = encode(context + continuation), encode(context)
                tail = whole[len(head) :]
            inputs = (head + tail)[-(limit + 1) :][:-1]
            rows = log_probabilities(model, inputs)[-len(tail) :]
            scores.append(float(sum(row[token] for row, token in zip(rows, tail))))
        lengths = [len(choice.lstrip().encode()) for choice in question["choices"]]
        plain.append(int(np.argmax(scores) == question["answer"]))
        normalized.append(int(np.argmax(np.array(scores) / lengths) == question["answer"]))
        every.append(scores)
    count = len(QUESTIONS)

    def error(hits):
        share = sum(hits) / count
        return math.sqrt(share * (1 - share) / (count - 1))

    return {
        "log_likelihoods": every, "correct": plain, "correct_normalized": normalized,
        "accuracy": sum(plain) / count, "accuracy_standard_error": error(plain),
        "accuracy_normalized": sum(normalized) / count, "accuracy_normalized_standard_error": error(normalized),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    (here / "text.txt").write_text(TEXT)
    (here / "choices.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    tokenizer = make_tokenizer()
    model, shallow, rounded = load(checkpoints / "llama-tied"), load(checkpoints / "llama-tied"), quantized()
    shallow.model.layers = shallow.model.layers[:1]
    random = np.random.default_rng(7)
    sequences = [draw(model, length, random) for length in [9, 1, 40, 2, 17, 64]]
    ids = tokenizer.encode(TEXT, add_special_tokens=False).ids
    expected = {
        "ids": sequences,
        "tokens": score(model, sequences),
        "shallow": score(shallow, sequences),
        "rounded": score(rounded, sequences),
        "shallow_against": compare(model, shallow, sequences),
        "rounded_against": compare(model, rounded, sequences),
        "one_sequence": score(model, sequences[2:3]),
        "windows": text_case(model, tokenizer, ids, 24, 23),
        "stride": text_case(model, tokenizer, ids, 24, 7),
        "choices": choices_case(model, tokenizer, False),
        "choices_bos": choices_case(model, tokenizer, True),
    }
    (here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
