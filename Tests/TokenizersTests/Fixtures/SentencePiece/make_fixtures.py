"""Makes the fixtures of SentencePieceTests, beside this file.

    pip install sentencepiece==0.2.3 tokenizers==0.23.3 protobuf && python make_fixtures.py

Small SentencePiece models are trained on the text of the other fixtures, each with another setting; `cases.json` has the
ids and the text of the ids that the library gives for each case, and `unigram.json` is one of them as a tokenizer.json,
with what the `tokenizers` library gives.
"""

import json
import os
import random
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from make_fixtures import CASES, SPACES, TEXT  # noqa: E402

# Code points and what they become: a composition, an expansion with spaces, nothing, spaces, an identity.
RULES = [
    ("e\u0301", "é"), ("e\u0301\u0302", "ê"), ("ﬁ", "fi"), ("ﷺ", "a b c"), ("\u200b", ""), ("\u3000", " "),
    ("\t", " "), ("\u00a0", " "), ("½", " 1/2"), ("😀", "☺ "), ("A", "a"), ("Å", "å"), ("  !", "!"), ("\u0300", ""),
    ("ab\u0301", "x"),
]

USER = ["<sep>", "[MASK]", "a b", "\u2581\u2581\u2581", "0123", "e", "b<", "<sep>!"]

MODELS = {
    "bpe-llama": dict(
        model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False, split_digits=True,
        allow_whitespace_only_pieces=True, vocab_size=460),
    "bpe-plain": dict(model_type="bpe", vocab_size=300),
    "bpe-user": dict(
        model_type="bpe", user_defined_symbols=USER, control_symbols=["<ctl>", "☃"], byte_fallback=True, rules=True,
        vocab_size=480),
    "bpe-suffix": dict(model_type="bpe", treat_whitespace_as_suffix=True, user_defined_symbols=USER, vocab_size=300),
    "bpe-cross": dict(model_type="bpe", split_by_whitespace=False, add_dummy_prefix=False, vocab_size=320),
    "unigram-plain": dict(model_type="unigram", vocab_size=240),
    "unigram-rules": dict(
        model_type="unigram", rules=True, user_defined_symbols=USER, control_symbols=["<ctl>"], vocab_size=260),
    "unigram-fallback": dict(
        model_type="unigram", byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
        vocab_size=460),
    "unigram-suffix": dict(
        model_type="unigram", treat_whitespace_as_suffix=True, remove_extra_whitespaces=False, vocab_size=240),
    "unigram-cross": dict(model_type="unigram", split_by_whitespace=False, vocab_size=260),
}

MORE = [
    "\u2581", "\u2581\u2581", "a\u2581b", " \u2581 a", "a \u2581", "a\u2581 ", "<s>", "a<s>b </s> <unk>", "<ctl>a ☃",
    "<sep>a<sep> <sep>", "x<sep>!<sep>", "a b<sep>", "a  b", "aa b<", "[MASK] [MASK", "0123 01234", "<0x41>", "\u2581\u2581\u2581\u2581",
    "e\u0301 e\u0301\u0302 ab\u0301", "ﬁsh ﷺ", "a\u200bb \u200b c", "\u3000a\u3000", " ½½ ½", "😀a 😀 ", "Å A A", "a  !b", "☃☃ ☃",
    "☃a☃", "\u200b", " \u200b ", "字字 字", "a字 字b", "=====", "aaaaaaaaa",
]


def texts():
    random.seed(7)
    pieces = CASES + MORE + list(SPACES) + TEXT.split() + list("aeiou'. 1")
    drawn = ["".join(random.choice(pieces)[:15] for _ in range(random.randrange(2, 7))) for _ in range(100)]
    return [text for text in CASES[:60] + MORE + drawn if "\0" not in text] + [TEXT]


def trained(name, rules=False, **settings):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text", "w") as file:
            file.write(TEXT * 4)
        if rules:
            with open(f"{folder}/rules.tsv", "w") as file:
                for source, target in RULES:
                    codes = lambda text: " ".join(f"{ord(character):X}" for character in text)  # noqa: E731
                    file.write(f"{codes(source)}\t{codes(target)}\n")
            settings["normalization_rule_tsv"] = f"{folder}/rules.tsv"
        else:
            settings["normalization_rule_name"] = "identity"
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/text", model_prefix=f"{folder}/model", hard_vocab_limit=False, num_threads=1,
            minloglevel=2, character_coverage=0.98, **settings)
        model = sentencepiece_model_pb2.ModelProto.FromString(open(f"{folder}/model.model", "rb").read())
    # What says where and how it was trained.
    del model.trainer_spec.input[:]
    for field in ["model_prefix", "normalization_rule_tsv"]:
        for spec in [model.trainer_spec, model.normalizer_spec]:
            if field in spec.DESCRIPTOR.fields_by_name:
                spec.ClearField(field)
    return model


def unigram_json(model):
    """The pieces of a model as a tokenizer.json; user-defined pieces are added tokens there."""
    vocabulary = [(piece.piece, piece.score) for piece in model.pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " "),
    ])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def different(texts, decoded):
    """The texts that are not what was encoded, by their places."""
    return {index: text for index, (text, original) in enumerate(zip(decoded, texts)) if text != original}


def main():
    cases = {"texts": texts()}
    for name, settings in MODELS.items():
        model = trained(name, **settings)
        bytes = model.SerializeToString(deterministic=True)
        with open(f"{HERE}/{name}.model", "wb") as file:
            file.write(bytes)
        processor = sentencepiece.SentencePieceProcessor(model_proto=bytes)
        ids = processor.encode(cases["texts"])
        cases[name] = {"ids": ids, "decoded": different(cases["texts"], processor.decode(ids))}
        if name == "unigram-rules":
            tokenizer = unigram_json(model)
            tokenizer.save(f"{HERE}/unigram.json")
            ids = [tokenizer.encode(text).ids for text in cases["texts"]]
            decoded = [tokenizer.decode(each) for each in ids]
            cases["unigram"] = {"ids": ids, "decoded": different(cases["texts"], decoded)}
    with open(f"{HERE}/cases.json", "w") as file:
        json.dump(cases, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
