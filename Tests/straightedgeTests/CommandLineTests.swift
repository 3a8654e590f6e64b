import Checkpoints
import Glibc
import TestSupport
import Testing

@Suite("The command tells what it does, and what is wrong")
struct CommandLineTests {
    @Test(
        "every help text has examples",
        arguments: [
            "analyze", "sweep", "compare", "report", "procrustes", "evaluate", "hidden-states", "tokenize", "inspect",
            "doctor",
            "bench",
        ])
    func help(subcommand: String) throws {
        let outcome = try Command.run([subcommand, "--help"])
        #expect(outcome.exitCode == 0)
        #expect(outcome.output.contains("EXAMPLES"))
    }

    @Test(
        "wrong usage ends with 64",
        arguments: [
            ["analyze"], ["analyze", "model.gguf"], ["analyze", "model.gguf", "--text", "a", "--tokens", "b"],
            ["analyze", "model.gguf", "--text", "a", "--wrong-flag"], ["unknown"],
            ["analyze", "model.gguf", "--text", "a", "--layers", "5:2"],
            ["analyze", "model.gguf", "--text", "a", "--memory", "much"],
            ["analyze", "model.gguf", "--text", "a", "--device", "abacus"],
            ["analyze", "model.gguf", "--text", "a", "--site", "head"], ["report"],
            ["sweep", "a", "b", "--text", "a"], ["sweep", "--text", "a", "--out", "b"], ["compare"],
            ["sweep", "a", "--text", "a", "--out", "b", "--site", "mlp"], ["sweep", "a", "--out", "b"],
            ["analyze", "model.gguf", "--text", "a", "--resume"], ["procrustes", "x.npy"],
            ["procrustes", "x.npy", "y.npy", "--method", "guess"], ["procrustes", "x.npy", "y.npy", "--folds", "0"],
            ["procrustes", "x.npy", "y.npy", "--map", "map.npy"],
            ["procrustes", "x.npy", "y.npy", "--out", "a.safetensors", "--map", "a.safetensors"],
            ["analyze", "model.gguf", "--text", "a", "--no-token-errors", "--tokens-out", "a.npy"],
        ])
    func usage(arguments: [String]) throws {
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 64)
        #expect(!outcome.errors.isEmpty)
    }

    @Test(
        "a model that is missing, empty, truncated or no model ends with 1, and the message names the file",
        arguments: [
            ("missing.gguf", nil), ("empty.gguf", ""), ("text.gguf", "This is no model.\n"), ("short.gguf", "GGUF"),
        ] as [(String, String?)])
    func badModels(name: String, text: String?) throws {
        let place = try TemporaryFolder()
        if let text { try place.write(text, to: name) }
        for arguments in [["inspect", "\(place.path)/\(name)"], ["tokenize", "\(place.path)/\(name)"]] {
            let outcome = try Command.run(arguments)
            #expect(outcome.exitCode == 1)
            #expect(outcome.errors.contains(name))
        }
    }

    @Test("doctor says which GPUs there are, and without one what is missing")
    func doctor() throws {
        let outcome = try Command.run(["doctor", "--case", "normalize"])
        #expect(outcome.exitCode == 0)
        let line = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("gpu ") })
        let gpu = try Command.run(["doctor", "--device", "cuda", "--case", "normalize"])
        if line.contains("none") {
            #expect(gpu.exitCode == 1)
            #expect(gpu.errors.contains("cuda") || gpu.errors.contains("driver"))
        } else {
            #expect(gpu.exitCode == 0)
        }
    }

    @Test("a folder without a model is told so")
    func emptyFolder() throws {
        let place = try TemporaryFolder()
        let outcome = try Command.run(["inspect", place.path])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("config.json"))
    }

    @Test(
        "token files that are damaged or of another vocabulary end with 1, and the message names the line",
        arguments: [
            ("[1, 2\n", "line 1"), ("[1]\n[2, 64]\n", "line 2"), ("[1]\n[]\n", "line 2"), ("[1.5]\n", "line 1"),
        ])
    func badTokens(text: String, place: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(text, to: "ids.jsonl")
        let outcome = try Command.run([
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out",
        ])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("ids.jsonl") && outcome.errors.contains(place))
        #expect(folder.names() == ["ids.jsonl"])
    }

    @Test("too few tokens are refused with 2, and nothing is written")
    func refused() throws {
        let folder = try TemporaryFolder()
        try folder.write("[1, 2, 3]\n", to: "ids.jsonl")
        let outcome = try Command.run([
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out",
        ])
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("3 tokens for a stream of width 32"))
        #expect(folder.names() == ["ids.jsonl"])
    }

    @Test("a profile has the public format's names, and the folder is not overwritten unasked")
    func profile() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        let arguments = [
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out",
        ]
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("held-out"))
        let profile = try JSON.read("\(folder.path)/out/profile.json")
        #expect(profile["schema"]?.string == "straightedge.profile/1")
        #expect(profile["corpus"]?["tokens"]?.integer == 600)
        let views = try #require(profile["views"]?.array)
        #expect(views.map { $0["name"]?.string } == ["all_tokens", "without_first_token"])
        for row in try #require(views[0]["layers"]?.array) + [try #require(views[0]["final_norm"])] {
            let missing = Command.rowNames.filter { row[$0] == nil }
            #expect(missing == [])
        }
        #expect(try Command.run(arguments).exitCode == 1)
        #expect(try Command.run(arguments + ["--force", "--quiet"]).output.isEmpty)
    }

    @Test("every token's error in every layer is written as .npy and as safetensors")
    func tokenErrors() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        for name in ["errors.npy", "errors.safetensors"] {
            let outcome = try Command.run([
                "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--site",
                "layer,mlp", "--out", "\(folder.path)/\(name)-out", "--tokens-out", "\(folder.path)/\(name)", "--quiet",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
        }
        let file = try SafetensorsFile("\(folder.path)/errors.safetensors")
        let tensor = try file.tensor("all_tokens.layer.in_sample")
        #expect(tensor.shape == [600, 2])
        #expect(try file.tensor("without_first_token.mlp.held_out").shape == [600, 2])
        #expect(try file.tensor("all_tokens.final_norm.held_out").shape == [600, 1])
        let array = try MappedFile("\(folder.path)/errors.npy")
        let header = unsafe String(decoding: array.bytes[10..<128], as: UTF8.self)
        #expect(header.contains("'descr': '<f4', 'fortran_order': False, 'shape': (600, 2), }"))
        // The same errors in both.
        #expect(unsafe array.bytes[128...].elementsEqual(tensor.bytes.bytes.withUnsafeBytes { unsafe Array($0) }))
    }

    @Test("--resume does nothing where all is done, and passes no other analysis off as the one asked for")
    func resume() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        let arguments = [
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out", "--quiet", "--save-interval", "0",
        ]
        #expect(try Command.run(arguments).exitCode == 0)
        let first = try JSON.read("\(folder.path)/out/profile.json")
        // Finished: there is nothing to do, and other settings are not passed off as the same.
        #expect(try Command.run(arguments + ["--resume"]).exitCode == 0)
        let other = try Command.run(arguments + ["--resume", "--folds", "3"])
        #expect(other.exitCode == 1 && other.errors.contains("another analysis"))
        #expect(try JSON.read("\(folder.path)/out/profile.json") == first)
        #expect(folder.names() == ["ids.jsonl", "out"])
    }

    @Test("a page is made of a profile, of its folder, and not of anything else")
    func report() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        let out = "\(folder.path)/out"
        let analysis = try Command.run([
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out", out, "--quiet",
        ])
        #expect(analysis.exitCode == 0, "\(analysis.errors)")
        let written = try MappedFile("\(out)/report.html")
        let page = unsafe Array(written.bytes)
        #expect(try Command.run(["report", out, "--figures", "\(folder.path)/figures"]).exitCode == 0)
        let again = try MappedFile("\(out)/report.html")
        #expect(unsafe Array(again.bytes) == page)
        #expect(try Command.run(["report", "\(out)/profile.json", "--out", "\(folder.path)/ids.jsonl"]).exitCode == 1)
        try folder.write("{\"schema\": 1}", to: "wrong.json")
        let wrong = try Command.run(["report", "\(folder.path)/wrong.json"])
        #expect(wrong.exitCode == 1 && wrong.errors.contains("schema"))
        #expect(try Command.run(["report", "\(folder.path)/missing"]).exitCode == 1)
    }

    @Test("a sweep keeps what can be measured, tells of what cannot, and measures nothing twice")
    func sweep() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        try folder.write("no model", to: "runs/step20")
        for step in [100, 3] {
            let link = "\(folder.path)/runs/step\(step)"
            try #require(unsafe symlink(Command.fixture("llama-tied"), link) == 0)
        }
        let models = ["step100", "step20", "step3"].map { "\(folder.path)/runs/\($0)" }
        let rest = ["--tokens", "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/out"]
        let outcome = try Command.run(["sweep"] + models + rest)
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("step20") && outcome.errors.contains("1 of 3 checkpoints"))
        #expect(folder.names(in: "out") == ["layers.csv", "step100", "step3", "sweep.csv", "sweep.html"])
        #expect(folder.names(in: "out/step3") == ["layers.csv", "profile.json", "report.html"])
        let steps = try folder.text("out/sweep.csv").split(separator: "\n").map { $0.split(separator: ",")[1] }
        #expect(steps == ["step", "3", "3", "100", "100"])

        let first = try JSON.read("\(folder.path)/out/step3/profile.json")
        let again = try Command.run(["sweep", models[0], models[2]] + rest)
        #expect(again.exitCode == 0, "\(again.errors)")
        #expect(again.output.contains("checkpoint 1 of 2, step3") && again.output.contains("measured before"))
        #expect(try JSON.read("\(folder.path)/out/step3/profile.json") == first)
        let other = try Command.run(["sweep", models[0], models[2]] + rest + ["--folds", "3"])
        #expect(other.exitCode == 1 && other.errors.contains("step3") && other.errors.contains("folds"))
        // A text that is not there is no failure of the checkpoints.
        let missing = try Command.run(
            ["sweep"] + models + ["--text", "\(folder.path)/none", "--out", "\(folder.path)/b"])
        #expect(missing.exitCode == 1 && !missing.errors.contains("checkpoint"))
        #expect(folder.names() == ["ids.jsonl", "out", "runs"])
    }

    @Test("profiles are compared as a table, a page and a CSV, and what is no profile is refused by name")
    func compare() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        for folds in ["5", "3"] {
            let outcome = try Command.run([
                "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--folds", folds,
                "--out", "\(folder.path)/folds-\(folds)", "--quiet",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
        }
        let profiles = ["\(folder.path)/folds-5", "\(folder.path)/folds-3/profile.json"]
        let table = try Command.run(["compare"] + profiles + ["--out", "\(folder.path)/out"])
        #expect(table.exitCode == 0, "\(table.errors)")
        #expect(table.output.contains("≠ llama-tied, folds-3: folds (3 instead of 5)"))
        #expect(folder.names(in: "out") == ["comparison.csv", "comparison.html"])
        let rows = try Command.run(["compare"] + profiles + ["--csv"])
        let written = try folder.text("out/comparison.csv")
        #expect(rows.exitCode == 0 && rows.output == written)
        // Two runs, two views, two layers and the final norm.
        #expect(rows.output.split(separator: "\n").count == 1 + 2 * 2 * 3)
        #expect(try Command.run(["compare"] + profiles + ["--out", "\(folder.path)/out"]).exitCode == 1)
        #expect(try Command.run(["compare", profiles[0], "--out", "\(folder.path)/one.html"]).exitCode == 0)
        for (name, text) in [
            ("later.json", "{\"schema\": \"straightedge.profile/2\"}"), ("other.json", "{\"a\": 1}"), ("cut.json", "{"),
        ] {
            try folder.write(text, to: name)
            let outcome = try Command.run(["compare", profiles[0], "\(folder.path)/\(name)"])
            #expect(outcome.exitCode == 1 && outcome.errors.contains(name))
            #expect((name == "later.json") == outcome.errors.contains("later straightedge"))
        }
        let empty = try Command.run(["compare", folder.path])
        #expect(empty.exitCode == 1 && empty.errors.contains("holds no profile.json"))
    }

    @Test("hidden states are written as safetensors that open again")
    func hiddenStates() throws {
        let folder = try TemporaryFolder()
        try folder.write("[1, 2, 3]\n[4]\n", to: "ids.jsonl")
        let path = "\(folder.path)/states.safetensors"
        let outcome = try Command.run([
            "hidden-states", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--logits", "--out",
            path,
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let file = try SafetensorsFile(path)
        #expect(try file.tensor("stream.2").shape == [4, 32])
        #expect(try file.tensor("logits").shape == [4, 64])
    }
}

@Suite("A real model, where Scripts/test could fetch it")
struct RealModelTests {
    private static let model = Command.environment("STRAIGHTEDGE_TEST_MODEL")
    private static let text = Command.environment("STRAIGHTEDGE_TEST_TEXT")

    @Test(
        "SmolLM2's first layers score what numpy finds in Hugging Face's hidden states",
        .enabled(if: model != nil && text != nil, "the model was not fetched"))
    func smolLM2() throws {
        let folder = try TemporaryFolder()
        let outcome = try Command.run([
            "analyze", RealModelTests.model ?? "", "--text", RealModelTests.text ?? "", "--sequences", "2", "--layers",
            "0:3", "--out", "\(folder.path)/out",
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let profile = try JSON.read("\(folder.path)/out/profile.json")
        let golden = try JSON.read(Command.ownFixture("smollm2.json"))
        for view in try #require(profile["views"]?.array) {
            let name = try #require(view["name"]?.string)
            let rows = try #require(view["layers"]?.array)
            let expected = try #require(golden["views"]?[name]?.array)
            #expect(rows.count == expected.count)
            for (row, wanted) in zip(rows, expected) {
                for (figure, value) in try #require(wanted.object).members {
                    let difference = try #require(row[figure]?.number) - (try #require(value.number))
                    // 1,024 tokens for 576 columns: the map follows the hidden states' own float32 rounding closely.
                    #expect(abs(difference) < 2e-6, "\(name), \(figure)")
                }
            }
        }
    }

    @Test(
        "SmolLM2's first layers score the same on the kernels of a GPU",
        .enabled(if: model != nil && text != nil, "the model was not fetched"), .needsEmulation)
    func emulatedSmolLM2() throws {
        let folder = try TemporaryFolder()
        var profiles: [JSON] = []
        for device in TestDevice.allCases {
            let outcome = try Command.run([
                "analyze", RealModelTests.model ?? "", "--text", RealModelTests.text ?? "", "--sequences", "7",
                "--sequence-length", "100", "--layers", "0:2", "--device", device.rawValue, "--out",
                "\(folder.path)/\(device.rawValue)",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
            profiles.append(try JSON.read("\(folder.path)/\(device.rawValue)/profile.json"))
        }
        var count = 0
        for (host, emulated) in zip(try layers(profiles[0]), try layers(profiles[1])) {
            for name in Command.rowNames.dropFirst(2) where name != "condition_number" {
                guard let wanted = host[name]?.number else { continue }
                count += 1
                let difference = try #require(emulated[name]?.number) - wanted
                #expect(abs(difference) < 1e-6 * max(1, abs(wanted)), "\(name)")
            }
        }
        #expect(count > 60)
    }

    private func layers(_ profile: JSON) throws -> [JSON] {
        try #require(profile["views"]?.array).flatMap { $0["layers"]?.array ?? [] }
    }
}
