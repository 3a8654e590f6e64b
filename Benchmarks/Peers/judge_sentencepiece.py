"""Judges the SentencePiece models of Straightedge by the libraries they come from: the same ids, and the same text back.

    pip install sentencepiece==0.2.3 tokenizers==0.23.3 protobuf
    python Benchmarks/Peers/judge_sentencepiece.py .build/release/straightedge --text FILE [MODEL...]
        [--vectors FOLDER] [--cases 10000] [--seed 1] [--names NAME...]

Models are trained on the text, one for each setting that changes how texts are cut, and encode its lines, runs of
200 lines, the whole text and random strings. MODELs are tokenizer.model files to be judged as well. Unigrams are judged
as a tokenizer.json too, by the `tokenizers` library. FOLDER has GGUF vocabularies of llama.cpp with their `.inp` and
`.out`; those of other kinds have to be refused. Reports the first differences, and exits with 1 if there are any.
"""

import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

USER = ["<sep>", "[MASK]", "abc def", "\u2581\u2581\u2581", "0123", "e", "def g"]

SETTINGS = {
    "plain": {},
    "fallback": dict(byte_fallback=True, normalization_rule_name="identity"),
    "llama": dict(
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        allow_whitespace_only_pieces=True),
    "case-folded": dict(normalization_rule_name="nfkc_cf", add_dummy_prefix=False),
    "user": dict(
        user_defined_symbols=USER, normalization_rule_name="nfkc", byte_fallback=True, control_symbols=["<ctl>", "☃"]),
    "suffix": dict(treat_whitespace_as_suffix=True, remove_extra_whitespaces=False),
    "suffix-user": dict(treat_whitespace_as_suffix=True, user_defined_symbols=USER),
    "cross": dict(
        split_by_whitespace=False, remove_extra_whitespaces=False, add_dummy_prefix=False,
        normalization_rule_name="nmt_nfkc_cf"),
}

PIECES = [
    " ", "  ", "\u2581", "\u2581\u2581", "\t", "\n", "\r\n", "<s>", "</s>", "<unk>", "<0x41>", "<sep>", "[MASK]", "abc def", "\u3000",
    "\u00a0", "a\u0301", "e\u0308", "\ufdfa", "ﬁ", "①", "ｶﾞ", "が", "é", "aaaa", "the", "=====", "0123",
]
RANGES = [
    (0x20, 0x7F), (0x20, 0x7F), (0x01, 0x20), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0xEFF), (0x1100, 0x11FF), (0x2000, 0x206F), (0x2070, 0x2BFF),
    (0x3000, 0x30FF), (0x3130, 0x318F), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
    (0xFB00, 0xFDFF), (0xFE00, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x2FFFF), (0xE0000, 0xE01FF), (1, 0x10FFFF),
]


def random_text():
    def part():
        if random.random() < 0.35:
            return random.choice(PIECES)
        code = random.randint(*random.choice(RANGES))
        return "?" if 0xD800 <= code <= 0xDFFF else chr(code)

    return "".join(part() for _ in range(random.choice([1, 2, 3, 5, 8, 13, 40])))


class Judge:
    def __init__(self, program, folder):
        self.program, self.folder, self.failures = program, folder, 0
        # A folder that opens as a model has weights.
        header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
        (folder / "config.json").write_text('{"model_type": "llama"}')

    def run(self, model, lines, *options):
        """The lines that the program makes of lines, or None where it refuses the model."""
        (self.folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = subprocess.run(
            [self.program, "tokenize", model, self.folder / "lines.jsonl", "--bos", "off", *options],
            capture_output=True, text=True)
        if result.returncode:
            print(f"  {result.stderr.strip()[:300]}")
            return None
        return [json.loads(line) for line in result.stdout.split("\n") if line]

    def with_file(self, name, content):
        for other in ["tokenizer.model", "tokenizer.json"]:
            (self.folder / other).unlink(missing_ok=True)
        (self.folder / name).write_bytes(content)
        return self.folder

    def compare(self, name, texts, ids, decoded, model, *options):
        ours = self.run(model, texts, *options)
        back = self.run(model, ids, "--decode")
        wrong = [] if ours and back else [0]
        for index in range(len(texts) if ours and back else 0):
            if ours[index] != ids[index] or back[index] != decoded[index]:
                wrong.append(index)
        print(f"{name}: {len(texts)} texts, {sum(map(len, ids))} ids, {len(wrong)} differ", flush=True)
        for index in wrong[:3] if ours and back else []:
            print(f"  {texts[index][:80]!a}: {ours[index][:20]} and {ids[index][:20]}; {back[index][:80]!a}")
        self.failures += len(wrong)


def judge_model(judge, name, bytes, texts):
    processor = sentencepiece.SentencePieceProcessor(model_proto=bytes)
    ids = processor.encode(texts)
    judge.compare(
        name, texts, ids, processor.decode(ids), judge.with_file("tokenizer.model", bytes), "--special-tokens", "text")


def judge_unigram(judge, name, bytes, texts):
    model = sentencepiece_model_pb2.ModelProto.FromString(bytes)
    vocabulary = [(piece.piece, piece.score) for piece in model.pieces]
    for scheme in ["always", "first", "never", None]:
        tokenizer = Tokenizer(
            models.Unigram(vocabulary, unk_id=0, byte_fallback=model.trainer_spec.byte_fallback))
        map = model.normalizer_spec.precompiled_charsmap
        steps = [normalizers.Precompiled(map)] if map else []
        if scheme:
            steps.append(normalizers.Replace(Regex(" {2,}"), " "))
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme) if scheme else decoders.Fuse()
        tokenizer.add_special_tokens(["<s>", "</s>", "<unk>"])
        ids = [each.ids for each in tokenizer.encode_batch(texts)]
        decoded = tokenizer.decode_batch(ids, skip_special_tokens=False)
        judge.compare(
            f"{name}, as a tokenizer.json with {scheme}", texts, ids, decoded,
            judge.with_file("tokenizer.json", tokenizer.to_str().encode()))


def judge_vectors(judge, file):
    cases = file.with_suffix(".gguf.inp").read_text().split("\n__ggml_vocab_test__\n")
    lines = file.with_suffix(".gguf.out").read_text().split("\n")
    ours = judge.run(file, cases, "--special-tokens", "text")
    if ours is None:
        print(f"{file.name}: refused")
        return
    wrong = [index for index, case in enumerate(cases) if ours[index] != [int(id) for id in lines[index].split()]]
    print(f"{file.name}: {len(cases)} texts, {len(wrong)} differ {wrong[:5]}")
    judge.failures += len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("straightedge", type=pathlib.Path)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--text", type=pathlib.Path, required=True)
    parser.add_argument("--vectors", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", nargs="*")
    arguments = parser.parse_intermixed_args()
    random.seed(arguments.seed)

    lines = arguments.text.read_text().split("\n")
    texts = [random_text() for _ in range(arguments.cases)] + lines + PIECES + ["", "hello", "  hello  world ", " \n "]
    texts += ["\n".join(lines[start:start + 200]) for start in range(0, len(lines), 200)] + ["\n".join(lines)]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        judge = Judge(arguments.straightedge.resolve(), pathlib.Path(folder))
        for kind in ["bpe", "unigram"]:
            for setting, options in SETTINGS.items():
                name = f"{kind}-{setting}"
                if arguments.names is not None and name not in arguments.names:
                    continue
                sentencepiece.SentencePieceTrainer.train(
                    input=str(arguments.text), model_prefix=f"{folder}/trained", model_type=kind, vocab_size=4000,
                    minloglevel=2, num_threads=2, max_sentence_length=100_000, character_coverage=0.995, **options)
                bytes = pathlib.Path(f"{folder}/trained.model").read_bytes()
                judge_model(judge, name, bytes, texts)
                if kind == "unigram" and setting in ["plain", "fallback", "case-folded"]:
                    judge_unigram(judge, name, bytes, texts)
        for model in arguments.models:
            judge_model(judge, model.name, model.read_bytes(), texts)
        for file in sorted(arguments.vectors.glob("*.gguf")) if arguments.vectors else []:
            if file.with_suffix(".gguf.inp").exists():
                judge_vectors(judge, file)
    print(f"{judge.failures} differences")
    sys.exit(1 if judge.failures else 0)


if __name__ == "__main__":
    main()
