import Checkpoints
import TestSupport
import Testing

@Suite("The command measures speed, and says what it measured")
struct BenchTests {
    @Test(
        "wrong usage ends with 64, and the message says what is known",
        arguments: [
            (["--wrong-flag"], "wrong-flag"), (["--shape", "llama-9"], "smollm2-135m"),
            (["--device", "abacus"], "emulated"), (["--tokens", "100"], "--shape"),
            (["--shape", "smollm2-135m", "--case", "add"], "--case"),
            (["--shape", "smollm2-135m", "--tokens", "0"], "--tokens"),
            (["--shape", "smollm2-135m", "--layers", "0"], "--layers"), (["--case", "no such case"], "no such case"),
        ])
    func usage(arguments: [String], word: String) throws {
        let outcome = try Command.run(["bench"] + arguments)
        #expect(outcome.exitCode == 64)
        #expect(outcome.errors.contains(word))
    }

    @Test("a case gives a table, and JSON with every sample; a file that exists is kept")
    func oneCase() throws {
        let folder = try TemporaryFolder()
        let arguments = ["bench", "--case", "singular_values n=256", "--json", "\(folder.path)/bench.json"]
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("GFLOP/s") && outcome.output.contains("singular_values n=256"))
        let json = try JSON.read("\(folder.path)/bench.json")
        #expect(json["schema"]?.string == "straightedge.bench/1")
        for name in ["version", "revision", "device", "library", "driver", "processor", "cores", "lanes"] {
            #expect(json[name] != nil, "\(name)")
        }
        let cases = try #require(json["cases"]?.array)
        #expect(cases.map { $0["operation"]?.string } == ["product", "singular_values"])
        for entry in cases {
            let samples = try #require(entry["seconds_per_call"]?["samples"]?.array)
            #expect(samples.count >= 5 && samples.allSatisfy { ($0.number ?? 0) > 0 })
            #expect(entry["failure"]?.isNull == true)
            for name in ["sizes", "operations_per_call", "bytes_per_call", "ceiling", "share_of_ceiling"] {
                #expect(entry[name] != nil, "\(name)")
            }
        }
        let again = try Command.run(arguments)
        #expect(again.exitCode == 1 && again.errors.contains("--json"))
        #expect(folder.names() == ["bench.json"])
    }

    @Test("a shape gives the time of each stage; too few tokens are refused and nothing is written")
    func shape() throws {
        let folder = try TemporaryFolder()
        let arguments = ["bench", "--shape", "smollm2-135m", "--layers", "1", "--json", "\(folder.path)/bench.json"]
        let refused = try Command.run(arguments + ["--tokens", "576"])
        #expect(refused.exitCode == 2)
        #expect(folder.names() == [])
        let outcome = try Command.run(arguments + ["--tokens", "600"])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("random weights"))
        let profile = try #require(try JSON.read("\(folder.path)/bench.json")["profile"])
        #expect(profile["layers"]?.integer == 1 && profile["model_layers"]?.integer == 30)
        #expect(profile["tokens"]?.integer == 600)
        for name in ["load", "forward", "moments", "solve", "token_errors", "analysis"] {
            #expect((profile["seconds"]?[name]?.number ?? 0) > 0, "\(name)")
            let label = name == "token_errors" ? "token errors" : name
            #expect(outcome.output.contains("\n\(label) "))
        }
        #expect((profile["tokens_per_second"]?.number ?? 0) > 0)
    }
}
