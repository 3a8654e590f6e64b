"""Judges the tokenizers of Straightedge by the `tokenizers` library: the same ids, and the same text back.

    pip install tokenizers==0.23.3
    python Benchmarks/Peers/judge_tokenizers.py .build/release/straightedge [NAME...] [--cases 10000] [--seed 1]

For each component that a tokenizer.json can have, and for some real combinations, a small definition is built, random
texts are encoded by both, and each id and each decoded text is compared. Names choose definitions that have them.
"""

import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer, pre_tokenizers, models, trainers

SAMPLE = """
How straight is a transformer? Each layer takes a stream of vectors and adds to it; we've measured 16,384 tokens.
Die Straße ist gerade, naïve Größen führen zu Überraschungen. L'été, où êtes-vous ? Насколько прямолинеен трансформер?
Πόσο ευθεία είναι η γραμμή; 直线有多直？ どれくらい真っ直ぐですか。 얼마나 곧은가 كم هو مستقيم עד כמה कितना सीधा है 😀👍🏽 — “quotes” €100 ½
    def score(x, y):\n        return 1 - x[0]\n\n\n\t# end
"""

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
DEEPSEEK3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = (
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PATTERNS = {
    "gpt2": GPT2, "llama3": LLAMA3, "gpt4o": GPT4O, "cl100k": CL100K, "deepseek3": DEEPSEEK3, "kimi": KIMI,
    "digits": r"\d{1,3}(?=(?:\d{3})*\b)", "words": r"\w+|[^\w\s]+", "boundary": r"\b", "not-boundary": r"\B", "empty": r"a*",
    "lines": r"^.|.$", "ends": r"\A.|.\z|\n\Z", "line-break": r"\R", "hex": r"\h+|\H", "lazy": r"a.*?b|\s{2,}?x?",
    "behind": r"(?<=\s)\S|(?<!\p{L})\p{L}", "atomic": r"(?>a+)b|a", "interval": r"(?:ab){,2}|\p{N}{2}|x{1,}", "any": r"(?m:.)",
    "case": r"(?i)[a-k]+|'S|\p{N}k", "no-case": r"(?i:the|[^a-z\s])", "class": r"[^\S\n]+|[\D&&\S]+", "nested": r"[a-c[x-z]\d]+|[^[:punct:]\s]+",
    "brackets": r"[[:alpha:]]+|[[:digit:]]+|[[:space:]]", "braces": r"{|}|a{|{,}", "escapes": r"\x41|\x{1F600}|\u00E9|\t|\.|\-",
    "properties": r"\p{Lu}+|\p{^L}+?|\P{M}\p{M}", "long-names": r"\p{Letter}+|\p{Decimal_Number}|\p{punct}", "scripts": r"\p{Han}+|\p{Hiragana}+|\p{Greek}+|\p{Cyrillic}+",
    "numbers": r"[\p{Nd}\p{Nl}]+|\p{No}", "symbols": r"[\p{Sc}\p{Sm}]+|[\p{Sk}\p{So}]+", "signs": r"[\p{Pd}\p{Pc}]|[\p{Ps}\p{Pe}]|\p{Po}+|[\p{Pi}\p{Pf}]",
    "other": r"\p{Cc}|\p{Cf}|\p{Co}", "separators": r"\p{Z}|\p{Zs}|\p{Zl}", "alternatives": r"a|ab|abc||d",
}


def trained(text, pre_tokenizer, size=400, **options):
    tokenizer = Tokenizer(models.BPE(**{k: v for k, v in options.items() if k != "alphabet"}))
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(
        [text] * 3, trainers.BpeTrainer(
            vocab_size=size, show_progress=False, initial_alphabet=options.get("alphabet", []),
            special_tokens=["<unk>"] if options.get("unk_token") else []))
    return json.loads(tokenizer.to_str())["model"]


def with_bytes(model):
    """The model with a token for each byte, fallen back to."""
    vocab = dict(model["vocab"])
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    return dict(model, vocab=vocab, byte_fallback=True)


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BARE = dict(BYTES, use_regex=False)
MODEL = trained(SAMPLE, pre_tokenizers.ByteLevel(add_prefix_space=False), alphabet=pre_tokenizers.ByteLevel.alphabet())
PLAIN = trained(SAMPLE.replace(" ", "▁"), None, unk_token="<unk>")
SPACED = with_bytes(PLAIN)
LLAMA_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
ADDED = [
    # content, special, single_word, lstrip, rstrip, normalized
    ("<|bos|>", True, False, False, False, False), ("<|end|>", True, False, True, True, False),
    ("<|Pad|>", True, False, False, False, True), ("word", False, True, False, False, True),
    ("   ", False, False, False, False, True), ("<Left>", False, False, True, False, False),
    ("<right>", False, False, False, True, False), ("É", False, False, False, False, True), ("A B", False, False, False, False, True),
]
# Where space is stripped, nothing would be left of a token of spaces, which the library does not come to an end with.
NO_SPACE = [row for row in ADDED if row[0].strip()]


def sequence(member, *steps):
    return {"type": "Sequence", member: list(steps)}


def split(pattern, behavior="Isolated", invert=False, literal=False):
    return {"type": "Split", "pattern": {"String" if literal else "Regex": pattern}, "behavior": behavior, "invert": invert}


def metaspace(scheme, cuts=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cuts}


def replace(content, pattern, literal=False):
    return {"type": "Replace", "pattern": {"String" if literal else "Regex": pattern}, "content": content}


def definition(normalizer=None, pre=BYTES, model=MODEL, decoder=BYTES, added=ADDED):
    tokens = [
        dict(id=model["vocab"].get(content, len(model["vocab"]) + index), content=content, special=special,
             single_word=single, lstrip=left, rstrip=right, normalized=normalized)
        for index, (content, special, single, left, right, normalized) in enumerate(
            row for row in added if row[0] not in model["vocab"])]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
        "pre_tokenizer": pre, "post_processor": None, "decoder": decoder, "model": model}


def definitions():
    result = {}
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "ByteLevel"):
        result[f"normalizer {form}"] = definition({"type": form})
    for left, right in ((True, False), (False, True), (True, True)):
        result[f"normalizer Strip {left} {right}"] = definition({"type": "Strip", "strip_left": left, "strip_right": right}, added=NO_SPACE)
    result["normalizer Prepend"] = definition({"type": "Prepend", "prepend": "▁x"})
    result["normalizer Replace literal"] = definition(replace("▁▁", " ", literal=True))
    result["normalizer Replace pattern"] = definition(replace("-", r"\s{2,}|\p{N}+|é"))
    result["normalizer Replace with nothing"] = definition(replace("", r"^\s+|[aeiou]"), added=NO_SPACE)
    result["normalizer Sequence"] = definition(sequence(
        "normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
        {"type": "Strip", "strip_left": True, "strip_right": True}, replace(" ", r"\s+")), added=NO_SPACE)
    for name, pattern in PATTERNS.items():
        result[f"pattern {name}"] = definition(pre=sequence("pretokenizers", split(pattern), BARE))
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            for kind, literal in (("[aeio]|\\s", False), (" ", True)):
                result[f"Split {behavior} {invert} {'literal' if literal else 'pattern'}"] = definition(
                    pre=sequence("pretokenizers", split(kind, behavior, invert, literal), BARE))
        result[f"Punctuation {behavior}"] = definition(
            pre=sequence("pretokenizers", {"type": "Punctuation", "behavior": behavior}, BYTES))
    for prefix in (False, True):
        for pattern in (False, True):
            result[f"ByteLevel {prefix} {pattern}"] = definition(
                pre=dict(BYTES, add_prefix_space=prefix, use_regex=pattern))
            result[f"ByteLevel {prefix} {pattern} before Split"] = definition(pre=sequence(
                "pretokenizers", dict(BYTES, add_prefix_space=prefix, use_regex=pattern), split("Ġ|[a-f]")))
    for individual in (False, True):
        digits = {"type": "Digits", "individual_digits": individual}
        result[f"Digits {individual}"] = definition(pre=sequence("pretokenizers", digits, BYTES))
        result[f"Digits {individual} with prefix"] = definition(
            pre=sequence("pretokenizers", digits, dict(BYTES, add_prefix_space=True)))
        result[f"Digits {individual} before Split"] = definition(pre=sequence("pretokenizers", digits, split(LLAMA3), BARE))
    result["Whitespace"] = definition(pre=sequence("pretokenizers", {"type": "Whitespace"}, BARE))
    result["WhitespaceSplit"] = definition(pre=sequence("pretokenizers", {"type": "WhitespaceSplit"}, BARE))
    for scheme in ("always", "first", "never"):
        for cuts in (False, True):
            result[f"Metaspace {scheme} {cuts}"] = definition(
                pre=metaspace(scheme, cuts), model=PLAIN, decoder=metaspace(scheme, cuts))
            result[f"Metaspace {scheme} {cuts} after others"] = definition(
                {"type": "Strip", "strip_left": True, "strip_right": False},
                sequence("pretokenizers", {"type": "Punctuation"}, metaspace(scheme, cuts)), SPACED, LLAMA_DECODER, NO_SPACE)
    prepend = sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace("▁", " ", literal=True))
    result["Llama 2"] = definition(prepend, None, dict(SPACED, fuse_unk=True), LLAMA_DECODER)
    result["Gemma"] = definition(
        replace("▁", " ", literal=True), split(" ", "MergedWithPrevious", literal=True), SPACED, LLAMA_DECODER)
    for fuse in (False, True):
        result[f"unknown, fused {fuse}"] = definition(prepend, None, dict(PLAIN, fuse_unk=fuse), LLAMA_DECODER)
    some = dict(SPACED, vocab={k: v for k, v in SPACED["vocab"].items() if k != "<0xF0>"})
    last = max(some["vocab"], key=some["vocab"].get)
    some["vocab"][last], some["fuse_unk"] = SPACED["vocab"]["<0xF0>"], True
    result["bytes that are missing"] = definition(prepend, None, some, LLAMA_DECODER)
    result["no unknown token"] = definition(prepend, None, dict(PLAIN, unk_token=None), LLAMA_DECODER)
    result["merges ignored"] = definition(
        pre=sequence("pretokenizers", split(LLAMA3), BARE),
        model=dict(MODEL, ignore_merges=True, merges=MODEL["merges"][::2]))
    for prefix, suffix in (("##", ""), ("", "</w>"), ("##", "</w>")):
        affixed = trained(
            SAMPLE, pre_tokenizers.Whitespace(), unk_token="<unk>", **({"continuing_subword_prefix": prefix} if prefix else {}),
            **({"end_of_word_suffix": suffix} if suffix else {}))
        affixed = affixes(affixed, prefix, suffix)
        result[f"affixes {prefix} {suffix}"] = definition(
            pre={"type": "Whitespace"}, model=affixed,
            decoder=sequence("decoders", replace("", prefix or "@@", literal=True), replace(" ", suffix or "@@", literal=True)))
    result["decoder of bytes, then Replace"] = definition(
        decoder=sequence("decoders", BYTES, replace("_", r"\s+"), {"type": "Strip", "content": "_", "start": 2, "stop": 3}))
    result["decoder Strip"] = definition(decoder=sequence(
        "decoders", {"type": "Strip", "content": "Ġ", "start": 1, "stop": 1}, BYTES), added=[])
    return result


def affixes(model, prefix, suffix):
    """A vocabulary by hand: the trainer's own merges do not always fit together."""
    letters = sorted(set(SAMPLE) - set(" \n\t"))
    vocab = {"<unk>": 0}
    for letter in letters:
        for text in (letter, prefix + letter, letter + suffix, prefix + letter + suffix):
            vocab.setdefault(text, len(vocab))
    merges = []
    for left, right in (("a", "n"), ("e", "r"), ("t", "h"), ("i", "s"), ("th", "e"), ("o", "r")):
        for start in ("", prefix):
            for end in ("", suffix):
                pair, result = [start + left, prefix + right + end], start + left + right + end
                if pair[0] in vocab and pair[1] in vocab and pair not in merges:
                    merges.append(pair)
                    vocab.setdefault(result, len(vocab))
    return dict(
        model, vocab=vocab, merges=merges, continuing_subword_prefix=prefix or None, end_of_word_suffix=suffix or None)


PIECES = [
    " ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", "a", "b", "ab", "the", "The", "word", "sword", "it's", "WE'LL", "'s", "'ſ", "'", "1", "12",
    "123", "1234567", "3.14", "½", "²", "Ⅷ", "٣", "é", "e\u0301", "É", "ß", "SS", "K", "ﬁ", "ａ", "Å", "\u0301", "\u0345", "\u0327\u0301",
    "各", "直线", "どれ", "가", "\u1100\u1161\u11a8", "각", "कि", "😀", "👩‍👩‍👧", "!", "!!", "...", "—", "“", "$", "€", "+", "_", "__", "/", "{", "}",
    "\u00a0", "\u2003", "\u2028", "\u180e", "\u200b", "\u200d", "\ufeff", "\x00", "\x1b", "\x85", "▁", "▁a", "##", "</w>", "Ġ", "<|bos|>", "<|end|>",
    "<|Pad|>", "<|pad|>", "<Left>", "<right>", "A B", "a b", "İ", "Σ", "ς", "ǅ", "Ⓐ", "ⅷ", "\U00031350", "\U0001e4d0", "\U00010d40", "\U00011de0",
    "\ua7ce", "\ufdfa", "\u0958", "\u1cf2", "\u166d", "\U0001d15e", "\U0001d7d8", "\u0f77", "ཀྵ", "\u2126", "豈", "\U0002f800",
]


def texts(count, seed):
    source = random.Random(seed)
    every = [chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000]
    assigned = every[:0x3400] + every[0xA000:0xE000] + every[0xF000:0x12000]
    words = SAMPLE.split()

    def piece():
        kind = source.random()
        if kind < 0.55:
            return source.choice(PIECES)
        if kind < 0.75:
            return source.choice(words)
        return source.choice(assigned if kind < 0.93 else every)

    return [""] + ["".join(piece() for _ in range(source.randrange(1, 14))) for _ in range(count - 1)]


def judge(program, name, value, cases, folder):
    """Whether all is equal; says what is not."""
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "tokenizer.json").write_text(json.dumps(value))
    # A model folder, with the least that is one.
    (model / "config.json").write_text("{}")
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    reference = Tokenizer.from_str(json.dumps(value))
    command = [program, "tokenize", str(model)]
    lines = "".join(json.dumps(text) + "\n" for text in cases)
    encoded = run([*command, "--special-tokens", "parse", "--bos", "off"], lines)
    if encoded is None:
        return False
    expected = [attempt(lambda: reference.encode(text, add_special_tokens=False).ids) for text in cases]
    known = [index for index, want in enumerate(expected) if want is not None]
    cases, encoded, expected = ([values[index] for index in known] for values in (cases, encoded, expected))
    decoded = run([*command, "--decode"], "".join(json.dumps(want) + "\n" for want in expected))
    wrong = [(text, "ids", want, got) for text, want, got in zip(cases, expected, encoded) if want != got]
    wants = [attempt(lambda: reference.decode(want, skip_special_tokens=False)) for want in expected]
    literal = {token["content"] for token in value["added_tokens"] if not token["content"].isascii()}
    if decoded is not None:
        # Tokens that are added are their text here, also where the library takes them for bytes.
        wrong += [
            (text, "text", want, got) for text, want, got in zip(cases, wants, decoded)
            if want not in (None, got) and not any(content in got for content in literal)]
    complete = len(encoded) == len(cases) and decoded is not None and len(decoded) == len(cases)
    print(f"{'equal' if not wrong and complete else 'WRONG'}  {name}: {len(cases)} texts, {len(wrong)} differ", flush=True)
    for text, what, want, got in wrong[:3]:
        print(f"    {text!r}: {what}\n        expected {want!r}\n        found    {got!r}")
    return not wrong and complete


def attempt(body):
    """What the library gives, or None where it panics."""
    try:
        return body()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def run(command, lines):
    done = subprocess.run(command, input=lines, capture_output=True, text=True)
    if done.returncode:
        print(f"FAILED  {' '.join(command)}: {done.stderr.strip()[:400]}")
        return None
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--cases", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_intermixed_args()
    cases = texts(options.cases, options.seed)
    chosen = {
        name: value for name, value in definitions().items()
        if not options.names or any(part in name for part in options.names)}
    with tempfile.TemporaryDirectory() as folder:
        results = [
            judge(options.program, name, value, cases, pathlib.Path(folder))
            for name, value in chosen.items()]
    print(f"{sum(results)} of {len(results)} definitions are equal")
    sys.exit(0 if results and all(results) else 1)


main()
