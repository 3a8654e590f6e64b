"""Makes the fixtures of TokenizersTests, beside this file.

    pip install tokenizers==0.23.3 && python make_fixtures.py

A small byte-level BPE is trained on the text below and saved in five styles; `cases.json` has the ids that the
`tokenizers` library gives for each case, `steps.json` those of tokenizers of many other steps with their texts back, and
`random.json` what CPython's `random` module draws.
"""

import json
import os
import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))

TEXT = """
How straight is a transformer? Each layer takes a stream of vectors and adds to it; the question is how much of what
comes out is a linear map of what went in. We've measured it on 16,384 tokens, and we'll measure it again: it's not
what they'd said. I'm told that you're sure; don't be. The 1st layer, the 2nd layer and the 30th layer differ.
    def score(x, y):
        x -= x.mean(0)    # centred
        return 1 - ((x @ fit(x, y) - y) ** 2).sum()
Die Straße ist gerade, naïve Größen führen zu Überraschungen. L'été, où êtes-vous ? Ça va déjà mieux.
Насколько прямолинеен трансформер? Πόσο ευθεία είναι η γραμμή; 直线有多直？ どれくらい真っ直ぐですか。 얼마나 곧은가
كم هو مستقيم الخط؟ עד כמה ישר הקו? कितना सीधा है? 😀😀 👍🏽 —– … “quotes” ‘single’ €100 £20 ½
<p class="a">&nbsp;</p> {"key": [1, 2, 3.14], "other": null} https://example.org/a/b?c=d&e=f
"""

ADDED = [
    # content, special, single_word, lstrip, rstrip, normalized
    ("<|bos|>", True, False, False, False, False),
    ("<|end|>", True, False, True, True, False),
    ("<|pad|>", True, False, False, False, True),
    ("word", False, True, False, False, True),
    ("   ", False, False, False, False, True),
    ("<left>", False, False, True, False, False),
    ("<right>", False, False, False, True, False),
    ("<right>>", False, False, False, False, False),
    ("é", False, False, False, False, True),
]

SPACES = "\t\n\v\f\r\x1c\x1f \x85\xa0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"

CASES = [
    "", " ", "  ", "   ", "    ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t\t", " \n", "\n ", " \n \n ", "a", " a", "a ", "  a",
    "   a", "a  b", "a   b", "a    b", "a\nb", "a\n\nb", "a\n b", "a \n b", "a\r\nb", "\ta", "a\t\tb", "word", " word ",
    "sword words word", "word.word", "_word_", "word\u0301", "1word", "word\u200dx", "(word)", "wordword",
    "it's", "we'll they'd I'm you're we've don't", "IT'S WE'LL", "'s", "''s", "'sa", " 's", "'x", "'r", "'re", "'ree",
    "'l", "'ll", "'v", "'ve'", "!'s", "x'", "'", "it’s", "1's", "'1", "\u0301's", "\n's",
    "0", "1", "12", "123", " 123", "123 ", "1 2  3   4", "a1", "1a", "a1b22c333", "3.14", "1,000,000", "2nd", "½", "x²", "Ⅷ",
    "٣٤٥", "१२३", "０１２", "一二三", "①②", "𝟘𝟙𝟚", "12 ٣٤ Ⅷ½", "  1", "a  1", "a   12", "!1!", "1\n2", "\n1", "1 \n",
    "naïve", "nai\u0308ve", "é", "e\u0301", "Å", "A\u030a", "Å", "ﬁ", "ß", "İ", "ǅ", "ʰ", "\u0301", "\u0301\u0302", " \u0301",
    "Straße", "Überraschungen", "Насколько прямолинеен", "Πόσο ευθεία", "直线有多直？", "どれくらい真っ直ぐですか。", "얼마나 곧은가",
    "كم هو مستقيم", "עד כמה", "कितना सीधा है", "ไทยภาษา", "Հայերեն", "ქართული", "አማርኛ", "ᏣᎳᎩ", "𐍈𐌰", "𝒜𝓁", "𓀀𓂀",
    "😀", "😀😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "a😀b", " 😀", "☃\ufe0f", "❤️‍🔥", "1️⃣",
    "—", "…", "“a”", "a—b", "€100", "£ 20", "!!!", " !!!", "?!", "a.b", "a . b", "...", "#!/bin/sh", "x != y", "a_b", "__init__",
    "<p>", "</p>", "&nbsp;", "{\"a\": [1, 2]}", "https://example.org/?a=b", "C:\\a\\b", "a@b.c", "f(x)[0]->y::z",
    "    def f():\n        return 1\n", "\tif (x) {\n\t}\n", "x  =  1;  // y\n\n\n", "a -> b", "\\n", "%d%s",
    "\x00", "\x01\x02", "a\x00b", "\x1b[31m", "\x7f", "\x80", "a\x07!", "!\x06!", "!!\x06!!", "\x06a", "\xad", "\u200b", "\ufeffa",
    "\u2028", "a\u2028b", "\ue000", "\uffff", "\U0010ffff", "\U000f0000", "\u0378", "\U000323b0's", "\U000323b0a",
    "<|bos|>", "<|bos|>a", "a<|bos|>", "a <|bos|> b", "<|bos|><|bos|>", "<|bos|", "<<|bos|>>", "<|BOS|>",
    "<|end|>", "a <|end|> b", "a  \n<|end|>\n  b", "<|end|> <|end|>", " <|end|><|bos|> ", "\u3000<|end|>\u00a0x",
    "<|pad|>", "a<|pad|> b", "<|pad|><|end|> <|pad|>", "<left>", "a  <left> b", "<right>", "a <right>  b", "<right>>", "<right>>>",
    "<right>   <left>", "<right>    <left>", "<right>    a", "<left><right>", "   <left>   <right>   ", "word <left>word",
    "<right> word", "éé", "naïve é", "a é", "   word   ", "      ", "     x", "12   34", "1<left>2", "x   1",
    "How straight is a transformer?", " transformer", "transformers", "layer", " layers", "measured it on 16,384 tokens",
]
CASES += [f"a{space}b{space}{space}c {space}1{space}" for space in SPACES]
CASES += [character * count for character in "a !1é\n" for count in (15, 16, 17, 48, 49, 70)]
CASES += ["ab" * 60, "layer" * 20, "transformer" * 9 + " transformer", "0123456789" * 6, "直线" * 30, "😀" * 20, " \n" * 30]


def random_cases(count):
    random.seed(5)
    pieces = CASES + list(SPACES) + TEXT.split() + list("aeiou'. 1")
    return ["".join(random.choice(pieces)[:15] for _ in range(random.randrange(2, 6))) for _ in range(count)]


def trained():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = [c for c in pre_tokenizers.ByteLevel.alphabet()]
    tokenizer.train_from_iterator(
        [TEXT] * 3, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def added_tokens(vocab, rows):
    tokens, next_id = [], len(vocab)
    for content, special, single_word, lstrip, rstrip, normalized in rows:
        identity = vocab.get(content, next_id)
        next_id += content not in vocab
        tokens.append(dict(
            id=identity, content=content, single_word=single_word, lstrip=lstrip, rstrip=rstrip, normalized=normalized,
            special=special))
    return tokens


def byte_level(prefix=False, pattern=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": pattern}


def digits(individual, then):
    return {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": individual}, then]}


def template(token, identity):
    return {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [identity], "tokens": [token]}},
    }


def without_bytes(model, characters):
    """The model as if no text with these bytes had been seen, with ids that have no gap."""
    tokens = [t for t in model["vocab"] if not set(t) & set(characters)]
    merges = [m for m in model["merges"] if not set("".join(m)) & set(characters)]
    return dict(model, vocab={t: i for i, t in enumerate(tokens)}, merges=merges)


def definition(model, pre_tokenizer, added=(), post_processor=None):
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens(model["vocab"], added),
        "normalizer": None, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
        "decoder": byte_level(prefix=True), "model": model,
    }


def tokenizers():
    model = trained()
    as_strings = dict(model, merges=[" ".join(m) for m in model["merges"]])
    # Bytes 0x06, 0x1D and 0xF0.
    holes = without_bytes(model, "\u0106\u011d\u00f0")
    unknown = dict(holes, vocab=dict(holes["vocab"], **{"<unk>": len(holes["vocab"])}), unk_token="<unk>", fuse_unk=True)
    whole = dict(unknown, vocab=dict(unknown["vocab"], Ġmeasured=len(unknown["vocab"])), ignore_merges=True)
    return {
        "pattern": definition(model, byte_level(), ADDED, template("<|bos|>", len(model["vocab"]))),
        "digits": definition(as_strings, digits(True, byte_level()), ADDED, byte_level()),
        "holes": definition(holes, digits(True, byte_level())),
        "prefix": definition(whole, digits(False, byte_level(prefix=True)), ADDED[:5]),
        "whole": definition(unknown, digits(False, byte_level(pattern=False))),
    }


def spaced():
    """A model of characters with the mark of SentencePiece for spaces, and a token for each byte."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.train_from_iterator(
        [TEXT.replace(" ", "▁")] * 3, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    vocab = dict(model["vocab"])
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    return dict(model, vocab=vocab, byte_fallback=True)


def steps(member, *parts):
    return {"type": "Sequence", member: list(parts)}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def replace(kind, pattern, content):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def metaspace(scheme, cuts):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cuts}


def step_tokenizers():
    """Of each: the model's name, and what is not the model."""
    llama3 = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
        r"\s+(?!\S)|\s+")
    plain = byte_level(pattern=False)
    text_decoder = steps(
        "decoders", replace("String", "▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    space = replace("String", " ", "▁")
    strip = {"type": "Strip", "strip_left": True, "strip_right": True}

    def of_bytes(pre, normalizer=None, decoder=byte_level()):
        return "bytes", {"normalizer": normalizer, "pre_tokenizer": pre, "decoder": decoder}

    def of_characters(pre, normalizer=None, decoder=text_decoder):
        return "characters", {"normalizer": normalizer, "pre_tokenizer": pre, "decoder": decoder}

    return {
        "llama 3": of_bytes(steps("pretokenizers", split(llama3), plain)),
        "normalized": of_bytes(byte_level(), steps(
            "normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, strip, replace("Regex", r"\s+", " "))),
        "composed": of_bytes(byte_level(), {"type": "NFC"}),
        "merged with previous": of_bytes(steps("pretokenizers", split(r"\s|[.,]", "MergedWithPrevious"), plain)),
        "merged with next": of_bytes(steps("pretokenizers", split(" ", "MergedWithNext", kind="String"), plain)),
        "contiguous": of_bytes(steps("pretokenizers", split(r"[a-e]", "Contiguous", invert=True), plain)),
        "removed": of_bytes(steps("pretokenizers", {"type": "Whitespace"}, {"type": "Punctuation", "behavior": "Removed"}, plain)),
        "digits after bytes": of_bytes(steps(
            "pretokenizers", {"type": "Punctuation", "behavior": "Contiguous"}, byte_level(), {"type": "Digits", "individual_digits": False},
            split("[0-9][0-9][0-9]"))),
        "llama 2": of_characters(None, steps("normalizers", {"type": "Prepend", "prepend": "▁"}, space)),
        "gemma": of_characters(split(" ", "MergedWithPrevious", kind="String"), space),
        "metaspace always": of_characters(metaspace("always", True), decoder=metaspace("always", True)),
        "metaspace first": of_characters(
            steps("pretokenizers", {"type": "WhitespaceSplit"}, metaspace("first", False)), strip, metaspace("never", False)),
    }


def step_cases():
    cases = [case for case in CASES if len(case) < 60][::2]
    bytes_model, characters_model = trained(), spaced()
    result = {"models": {"bytes": bytes_model, "characters": characters_model}, "texts": cases, "tokenizers": []}
    for name, (model, parts) in step_tokenizers().items():
        rows = [row for row in ADDED if row[0].strip()]
        vocab = result["models"][model]["vocab"]
        value = dict(
            definition(result["models"][model], None), **parts, added_tokens=added_tokens(vocab, [r for r in rows if r[0] not in vocab]))
        tokenizer = Tokenizer.from_str(json.dumps(value))
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in cases]
        texts = [tokenizer.decode(row, skip_special_tokens=False) for row in ids]
        del value["model"]
        result["tokenizers"].append({"name": name, "model": model, "definition": value, "ids": ids, "decoded": texts})
    return result


def write(name, value):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


def draws(seed):
    random.seed(seed)
    words = [random.getrandbits(32) for _ in range(3)] + [random.getrandbits(k) for k in (1, 7, 33, 63)]
    below = [random.randrange(n) for n in (1, 2, 3, 10, 1000, 2**31, 2**32, 2**33 + 1, 2**62)]
    samples = []
    for population, count in [(21, 5), (22, 5), (85, 6), (86, 6), (10, 10), (1045, 128), (1046, 128), (5, 0)]:
        random.seed(seed)
        samples.append([population, count, random.sample(range(population), count)])
    return {"seed": seed, "bits": words, "below": below, "samples": samples}


def main():
    cases = CASES + random_cases(60)
    expected = {"texts": cases}
    for name, value in tokenizers().items():
        write(f"{name}.json", value)
        tokenizer = Tokenizer.from_str(json.dumps(value))
        expected[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in cases]
        tokenizer.encode_special_tokens = True
        expected[f"{name}.plain"] = {
            str(index): ids for index, text in enumerate(cases)
            if (ids := tokenizer.encode(text, add_special_tokens=False).ids) != expected[name][index]}
    write("cases.json", expected)
    write("steps.json", step_cases())
    write("random.json", [draws(seed) for seed in (0, 1, 2**32 - 1, 2**32 + 5, 2**63 - 1)])


main()
