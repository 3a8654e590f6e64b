import Checkpoints
import TestSupport
import Testing

@Suite("Layers are chosen, cut and judged from the command")
struct PruneTests {
    private static let model = Command.fixture("families/llama/linear")

    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let lines = Command.tokenLines(sequences: 40, length: 12).split(separator: "\n").map { line in
            let ids = line.dropFirst().dropLast().split(separator: ",").map { String((Int($0) ?? 0) % 48) }
            return "[\(ids.joined(separator: ","))]\n"
        }
        try folder.write(lines.joined(), to: "ids.jsonl")
        try folder.write(lines.suffix(20).joined(), to: "held-out.jsonl")
        return folder
    }

    private func prune(_ folder: TemporaryFolder, _ arguments: String...) throws -> Command.Outcome {
        try prune(folder, arguments)
    }

    private func prune(_ folder: TemporaryFolder, _ arguments: [String]) throws -> Command.Outcome {
        try Command.run(["prune", Self.model, "--tokens", "\(folder.path)/ids.jsonl"] + arguments)
    }

    @Test("a plan, what it cuts, and what the file on the disk gives", arguments: ["remove", "replace", "merge"])
    func walkThrough(mode: String) throws {
        let folder = try folder()
        let plan = try Command.run([
            "plan", Self.model, "--drop", "1", "--protect", "first:1", "--mode", mode, "--tokens",
            "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/plan.json",
        ])
        #expect(plan.exitCode == 0, "\(plan.errors)")
        #expect(plan.output.contains("Cut:  layers 1 (1 of 2)") && plan.output.contains("Keep: layers 0"))
        let out = "\(folder.path)/pruned"
        let outcome = try prune(folder, "--plan", "\(folder.path)/plan.json", "--mode", mode, "--out", out)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let manifest = try JSON.read("\(out)/manifest.json")
        #expect(manifest["cut"] == [1] && manifest["keep"] == [0])
        #expect(manifest["plan"]?["settings"]?["mode"] == .string(mode))
        let curve = try #require(manifest["curve"]?.array)
        #expect(Set(curve.compactMap { $0["mode"]?.string }) == ["remove", "replace", "merge"])
        #expect((manifest["merged_with_biases"]?["perplexity"]?.number != nil) == (mode == "merge"))
        let judged = try Command.run([
            "evaluate", out, "--tokens", "\(folder.path)/held-out.jsonl", "--out", "\(folder.path)/e.json",
        ])
        #expect(judged.exitCode == 0, "\(judged.errors)")
        let evaluation = try JSON.read("\(folder.path)/e.json")
        let want = try #require(manifest["after"]?["cross_entropy"]?.number)
        let got = try #require(evaluation.number("cross_entropy"))
        #expect(abs(got - want) < 1e-9)
        let page = try folder.text("pruned/report.html")
        #expect(page.contains("Perplexity by layers cut") && page.contains("What the plan measured"))
        #expect(folder.names(in: "pruned").contains("modeling_straightedge.py") == (mode == "replace"))
    }

    @Test("a model beyond the limits is not kept, and ends with code 2")
    func limits() throws {
        let folder = try folder()
        let out = "\(folder.path)/pruned"
        let refused = try prune(
            folder, "--layers", "0", "--mode", "remove", "--out", out, "--no-curve", "--min-agreement", "100%")
        #expect(refused.exitCode == 2 && refused.errors.contains("beyond the limits"))
        #expect(folder.names() == ["held-out.jsonl", "ids.jsonl"])
        let kept = try prune(
            folder, "--layers", "0", "--mode", "remove", "--out", out, "--no-curve", "--min-agreement", "100%",
            "--keep-anyway")
        #expect(kept.exitCode == 2 && folder.names(in: "pruned").contains("model.safetensors"))
        let within = try prune(
            folder, "--layers", "0", "--mode", "remove", "--dry-run", "--no-curve", "--max-perplexity-increase", "1000%"
        )
        #expect(within.exitCode == 0 && folder.names().count == 3)
    }

    @Test("GGUF files stay such, or become folders")
    func gguf() throws {
        let folder = try folder()
        let source = Command.fixture("families/llama/linear.gguf")
        for (format, file) in [("gguf", "linear-pruned.gguf"), ("huggingface", "model.safetensors")] {
            let outcome = try Command.run([
                "prune", source, "--tokens", "\(folder.path)/ids.jsonl", "--layers", "1", "--mode", "merge", "--out",
                "\(folder.path)/\(format)", "--format", format, "--no-curve",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
            #expect(folder.names(in: format).contains(file))
        }
        let refused = try Command.run([
            "prune", source, "--tokens", "\(folder.path)/ids.jsonl", "--layers", "1", "--mode", "replace", "--out",
            "\(folder.path)/x",
        ])
        #expect(refused.exitCode == 1 && refused.errors.contains("--format huggingface"))
    }

    @Test("a plan made for another model is refused")
    func otherModel() throws {
        let folder = try folder()
        let plan = "\(folder.path)/plan.json"
        _ = try Command.run([
            "plan", Command.fixture("families/llama/biases"), "--drop", "1", "--tokens", "\(folder.path)/ids.jsonl",
            "--out", plan, "--no-damage", "--by", "cosine",
        ])
        let outcome = try prune(folder, "--plan", plan, "--mode", "remove", "--out", "\(folder.path)/o")
        #expect(outcome.exitCode == 2 && outcome.errors.contains("another model"))
        try folder.write("{\"schema\": \"straightedge.plan/1\", \"drop\": [1]}", to: "bad.json")
        let bad = try prune(
            folder, "--plan", "\(folder.path)/bad.json", "--mode", "remove", "--out", "\(folder.path)/o")
        #expect(bad.exitCode == 1 && bad.errors.contains("choices"))
    }

    @Test(
        "wrong layers, places and options are told of by name",
        arguments: [
            (["--layers", "1:5"], "1:5"), (["--layers", "0:2"], "keep at least one"),
            (["--layers", "1:1"], "half-open"),
            (["--layers", "1:0"], "backwards"), (["--layers", "0,0:1"], "overlap"), ([], "--plan"),
            (["--layers", "1", "--plan", "p"], "either"), (["--layers", "1", "--fit", "cubic"], "cubic"),
            (["--layers", "1", "--site", "attention"], "--mode replace"),
            (["--layers", "1", "--max-perplexity-increase", "x"], "x"), (["--layers", "1", "--type", "F8"], "--type"),
            (["--layers", "1", "--type", "Q4_0"], "--type"),
            (["--layers", "1", "--max-perplexity-increase", "5"], "5 is not a share: write 5% or 0.05"),
            (["--layers", "1", "--min-agreement", "101%"], "at most 100%"),
            (["--layers", "1", "--keep-anyway"], "beyond a limit"),
            (["--layers", "1", "--no-curve", "--fit", "ridge"], "fits nothing"),
            (["--layers", "1", "--no-curve", "--add-bias"], "--mode merge"),
            (["--layers", "1", "--held-out-tokens", "9223372036854775807"], "--held-out-tokens"),
            (["--layers", "1", "--folds", "9223372036854775807"], "--folds"),
        ])
    func wrongUsage(arguments: [String], part: String) throws {
        let folder = try folder()
        let outcome = try Command.run(
            [
                "prune", Self.model, "--tokens", "\(folder.path)/ids.jsonl", "--mode", "remove", "--out",
                "\(folder.path)/o",
            ]
                + arguments)
        #expect(outcome.exitCode != 0 && outcome.errors.contains(part), "\(outcome.errors)")
        #expect(folder.names() == ["held-out.jsonl", "ids.jsonl"])
    }

    @Test("a pruned folder is pruned again, in any mode", arguments: ["remove", "replace", "merge"])
    func prunedTwice(mode: String) throws {
        let folder = try folder()
        let source = Command.fixture("families/smollm3/plain")
        for (model, out) in [(source, "one"), ("\(folder.path)/one", "two")] {
            let outcome = try Command.run([
                "prune", model, "--layers", "2", "--mode", mode, "--tokens", "\(folder.path)/ids.jsonl", "--out",
                "\(folder.path)/\(out)/",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
        }
        let manifest = try JSON.read("\(folder.path)/two/manifest.json")
        #expect(manifest["before"]?["layers"] == (mode == "replace" ? 4 : 3))
    }

    @Test("a model is not lost for want of tokens for maps that its curve alone needs")
    func fewTokens() throws {
        let folder = try folder()
        try folder.write("[1,2,3,4]\n[5,6,7,8]\n", to: "few.jsonl")
        for mode in ["remove", "merge"] {
            let outcome = try Command.run([
                "prune", Self.model, "--tokens", "\(folder.path)/few.jsonl", "--layers", "1", "--mode", mode, "--folds",
                "2", "--out", "\(folder.path)/\(mode)",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("has no --mode replace: 4 tokens"), "\(outcome.output)")
        }
        let refused = try Command.run([
            "prune", Self.model, "--tokens", "\(folder.path)/few.jsonl", "--layers", "1", "--mode", "replace", "--out",
            "\(folder.path)/replace",
        ])
        #expect(refused.exitCode == 2 && refused.errors.contains("4 tokens"), "\(refused.errors)")
        try folder.write("[1,2,3,4]\n[5]\n", to: "one.jsonl")
        let nothing = try Command.run([
            "plan", Self.model, "--drop", "1", "--tokens", "\(folder.path)/one.jsonl", "--out", "\(folder.path)/p.json",
        ])
        #expect(nothing.exitCode == 2 && nothing.errors.contains("no held-out sequence"), "\(nothing.errors)")
        #expect(folder.names() == ["few.jsonl", "held-out.jsonl", "ids.jsonl", "merge", "one.jsonl", "remove"])
    }

    @Test(
        "what a format cannot say is told before anything is computed, be it a dry run",
        arguments: [
            (["--format", "gguf"], "GGUF file is written of a GGUF file only"),
            (["--type", "F16"], "keep their types"),
        ])
    func dryRun(arguments: [String], part: String) throws {
        let folder = try folder()
        let outcome = try prune(folder, ["--layers", "1", "--mode", "remove", "--dry-run"] + arguments)
        #expect(outcome.exitCode == 1 && outcome.errors.contains(part), "\(outcome.errors)")
    }

    @Test("a type or a bias that GGUF has not is told of at once")
    func typesOfGGUF() throws {
        let folder = try folder()
        for (model, arguments, part) in [
            ("llama/linear.gguf", ["--mode", "remove", "--type", "F16"], "changes none"),
            ("llama/linear.gguf", ["--mode", "merge", "--type", "Q8_0"], "no whole blocks"),
            ("llama/linear.gguf", ["--mode", "remove", "--type", "Q8_0", "--format", "huggingface"], "not written as"),
            ("qwen2/plain.gguf", ["--mode", "merge", "--add-bias"], "has no bias behind the MLP"),
        ] {
            let outcome = try Command.run(
                [
                    "prune", Command.fixture("families/\(model)"), "--tokens", "\(folder.path)/ids.jsonl", "--layers",
                    "1",
                    "--dry-run",
                ] + arguments)
            #expect(outcome.exitCode == 1 && outcome.errors.contains(part), "\(outcome.errors)")
        }
    }

    @Test("a plan does not replace what it reads, a folder or a device")
    func replacedInputs() throws {
        let folder = try folder()
        for place in ["\(folder.path)/ids.jsonl", folder.path, "/dev/null", "", "\(folder.path)/none/p.json"] {
            let outcome = try Command.run([
                "plan", Self.model, "--drop", "1", "--tokens", "\(folder.path)/ids.jsonl", "--force", "--out", place,
            ])
            #expect(outcome.exitCode == 1 && outcome.errors.contains("--out"), "\(outcome.errors)")
        }
        #expect(folder.names() == ["held-out.jsonl", "ids.jsonl"])
        #expect(try folder.text("ids.jsonl").hasPrefix("["))
    }

    @Test("a folder that exists stays as it is")
    func existing() throws {
        let folder = try folder()
        try folder.write("mine", to: "o/file")
        let outcome = try prune(folder, "--layers", "1", "--mode", "remove", "--out", "\(folder.path)/o")
        #expect(outcome.exitCode == 1 && outcome.errors.contains("exists already"))
        #expect(folder.names(in: "o") == ["file"])
    }
}

extension JSON {
    /// The member of this name, wherever it is first.
    fileprivate func number(_ key: String) -> Double? {
        if let number = self[key]?.number { return number }
        return (object?.members ?? []).lazy.compactMap { $0.value.number(key) }.first
    }
}
