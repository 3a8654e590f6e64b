import Checkpoints
import Compute
import Linearity
import TestSupport
import Testing
import Tokenizers
import Transformers

@testable import Reports

@Suite("One corpus is measured over a series of checkpoints")
struct SweepTests {
    @Test("checkpoints stand by their steps, or in the order given, which is said")
    func order() throws {
        let place = try TemporaryFolder()
        func sweep(_ models: [String]) throws -> Sweep {
            try Sweep(models, out: "\(place.path)/out", replaces: false)
        }
        let steps = try sweep(["a/step1000", "a/step20", "a/step0"])
        #expect(steps.checkpoints.map(\.name) == ["step0", "step20", "step1000"])
        #expect(SweepAxis(steps.checkpoints).quantity == .steps)
        let tokens = try sweep(["tokens2B", "tokens1B"])
        #expect(tokens.checkpoints.map(\.name) == ["tokens1B", "tokens2B"])
        let named = try sweep(["step20", "main", "step10"])
        #expect(named.checkpoints.map(\.name) == ["step20", "main", "step10"])
        #expect(reason(named)?.contains("\"main\"") == true)
        #expect(reason(try sweep(["stage1-step10", "stage2-step10"]))?.contains("both of step 10") == true)
    }

    private func reason(_ sweep: Sweep) -> String? {
        if case .order(let reason) = SweepAxis(sweep.checkpoints).quantity { reason } else { nil }
    }

    @Test("a folder of something else, such as a model, is not written into")
    func foreignFolder() throws {
        let place = try TemporaryFolder()
        try place.write("{}", to: "model/config.json")
        try place.write("", to: "sweep/sweep.csv")
        func sweep(_ out: String, replaces: Bool = false) throws {
            _ = try Sweep(["step1"], out: "\(place.path)/\(out)", replaces: replaces)
        }
        let error = #expect(throws: ResultFolderError.self) { try sweep("model") }
        #expect(error?.description.contains("config.json") == true)
        try sweep("sweep")
        try sweep("model", replaces: true)
    }

    @Test("folders are named after revisions and paths, as briefly as tells them apart")
    func names() throws {
        let place = try TemporaryFolder()
        func names(_ models: [String]) throws -> [String] {
            try Sweep(models, out: "\(place.path)/out", replaces: false).checkpoints.map(\.name)
        }
        #expect(try names(["org/m@step1", "org/m@step2"]) == ["step1", "step2"])
        #expect(try names(["org/m@step1", "org/n@step1"]) == ["m@step1", "n@step1"])
        #expect(try names(["x/1/model.gguf", "x/2/model.gguf"]) == ["1-model", "2-model"])
        #expect(try names(["./a/", "../b/."]) == ["a", "b"])
        #expect(try names(["a", "a"]) == ["a", "a (2)"])
        #expect(try names(["x/sweep.csv", ".", ".."]) == ["x-sweep.csv", "checkpoint", "checkpoint (2)"])
        #expect(try names(["x/.hidden"]) == ["checkpoint.hidden"])
        #expect(throws: ResultFolderError.self) { try names(["step1", "step1.unfinished"]) }
    }

    @Test("what is finished is not measured again, what was interrupted goes on, and a failure is passed over")
    func resumption() throws {
        let place = try TemporaryFolder()
        let out = "\(place.path)/out"
        let models = ["step10", "step1", "step5"]
        // Step 1 is measured, and step 5 too, but for its results: as after an interruption.
        _ = try run(Sweep(["step1"], out: out, replaces: false))
        let interrupted = try AnalysisFolder("\(out)/step5", resumes: true, replaces: false)
        #expect(throws: Interrupted.self) {
            try job("step5").run(into: interrupted, saveInterval: 0, alongside: { _, _ in throw Interrupted() })
        }
        #expect(interrupted.keptLayerCount == 2)
        let again = try Sweep(models, out: out, replaces: false)
        let first = try run(again, failing: "step10")
        #expect(first.new == ["step5"] && first.old == ["step1"] && first.failures == ["step10"], "\(first.reasons)")
        #expect(first.report?.checkpoints.map(\.name) == ["step1", "step5"])
        #expect(first.report?.comparison.runs.map(\.profile.resumptionCount) == [0, 1])
        #expect(place.names(in: "out") == ["layers.csv", "step1", "step5", "sweep.csv", "sweep.html"])
        let second = try run(again)
        #expect(second.new == ["step10"] && second.old == ["step1", "step5"] && second.failures.isEmpty)
        // Anew only where that is asked for.
        #expect(try run(Sweep(models, out: out, replaces: true)).new == ["step1", "step5", "step10"])
    }

    @Test("results of other settings or another corpus are refused by name, and stay")
    func others() throws {
        let place = try TemporaryFolder()
        let out = "\(place.path)/out"
        let sweep = try Sweep(["step1", "step2"], out: out, replaces: false)
        _ = try run(sweep)
        let written = try place.text("out/step1/layers.csv")
        var settings = SweepTests.settings
        try sweep.requireSame(settings, .host(laneCount: 1), SweepTests.program)
        settings.foldCount = 3
        let error = #expect(throws: ResultFolderError.self) {
            try sweep.requireSame(settings, .host(laneCount: 1), SweepTests.program)
        }
        let message = "\(try #require(error))"
        #expect(message.contains("step1") && message.contains("folds"))
        let outcome = try run(sweep, tokenSeed: 7)
        #expect(outcome.new.isEmpty && outcome.failures == ["step1", "step2"])
        #expect(try place.text("out/step1/layers.csv") == written)
    }

    @Test("a folder with something else in it is not taken")
    func taken() throws {
        let place = try TemporaryFolder()
        try place.write("mine", to: "out/step1/diary.txt")
        let error = #expect(throws: ResultFolderError.self) {
            try Sweep(["step1"], out: "\(place.path)/out", replaces: false)
        }
        #expect("\(try #require(error))".contains("step1"))
    }

    @Test("the time left counts the checkpoints that are still to come")
    func timeLeft() throws {
        let place = try TemporaryFolder()
        let sweep = try Sweep(["step1", "step2", "step3", "step0"], out: "\(place.path)/out", replaces: false)
        var left: [(number: Int, isLast: Bool, seconds: Double)] = []
        _ = try sweep.run(saveInterval: 60) { checkpoint in
            // One that fails is not waited for.
            if checkpoint.name == "step0" { throw Interrupted() }
            return try job(checkpoint.name)
        } report: { event in
            guard case .progress(let place, let layers, let seconds) = event else { return }
            left.append((place.number, layers.completedLayerCount == layers.layerCount, seconds))
        }
        #expect(left.map(\.number) == [2, 2, 3, 3, 4, 4])
        #expect(left.dropLast().allSatisfy { $0.seconds > 0 } && left.last?.seconds == 0)
        // Before the last checkpoint those after it are counted, also when its own layers are all done.
        #expect(left.filter(\.isLast).map(\.seconds).dropLast().allSatisfy { $0 > 0 })
    }

    @Test("step 0 has a place of its own before the logarithmic axis, and no line leads over the break")
    func zero() throws {
        let figure = try report(["step0", "step1", "step100"]).trendFigure(.allTokens)
        // The axis goes from 58 to 508; 8 % of it stand before step 1.
        let svg = figure.svg(false)
        for place in ["cx=\"58\"", "cx=\"94\"", "cx=\"508\""] { #expect(svg.contains(place)) }
        let line = try #require(svg.split(separator: "<path class=\"line s0\" d=\"").dropFirst().first)
        let moves = line.prefix { $0 != "\"" }.split(separator: "M").map { $0.contains("L") }
        #expect(moves == [false, true])
        #expect(svg.contains("logarithmic from the break on"))
        let positive = try report(["step1", "step100"]).trendFigure(.allTokens).svg(false)
        #expect(!positive.contains("break") && positive.contains("cx=\"58\""))
    }

    @Test("the report stands by the steps, once what told none has failed")
    func sorted() throws {
        let report = try report(["step10", "step2", "step1"])
        #expect(report.checkpoints.map(\.name) == ["step1", "step2", "step10"])
        let rows = report.csv().split(separator: "\n").map { $0.split(separator: ",")[0] }
        #expect(rows == ["checkpoint", "step1", "step1", "step2", "step2", "step10", "step10"])
        #expect(!report.table().contains("order given"))
        #expect(try self.report(["b", "a"]).table().contains("the name \"b\" tells no step"))
    }

    @Test("layers over checkpoints are a cell each, and a layer that was not measured has none")
    func cells() throws {
        let map = try report(["step1", "step2"]).mapFigures(.allTokens, ComparedScore.all[0])[0].svg(false)
        #expect(map.split(separator: "<title>step").count - 1 == 6)
        #expect(map.contains("<title>step2, layer 1: 0.9100</title>"))
    }

    @Test("names with a script in them stay text, and links stay in the folder")
    func hostile() throws {
        let attack = "javascript:alert(1)\"><script>alert(2)<&%2e"
        let page = try report([attack, "step2"]).page()
        #expect(!page.contains("<script>alert") && page.split(separator: "<script").count == 2)
        #expect(
            page.contains("href=\"./javascript%3Aalert%281%29%22%3E%3Cscript%3Ealert%282%29%3C%26%252e/report.html\""))
    }

    // MARK: Texts

    @Test("a model without a tokenizer, whose tokens of largest error are to be shown, is warned of")
    func missingTokenizer() throws {
        var settings = SweepTests.settings
        #expect(try job("a", settings: settings).warnings.allSatisfy { !$0.contains("tokenizer") })
        settings.measuresTokenErrors = true
        #expect(try job("a", settings: settings).warnings.contains { $0.hasSuffix("llama-tied has no tokenizer") })
    }

    // MARK: Means

    private struct Interrupted: Error {}

    private static let program = Computation.Program(version: "1", gitRevision: nil)

    private static var settings: Analysis.Settings {
        var settings = Analysis.Settings()
        settings.measuresTokenErrors = false
        return settings
    }

    private func report(_ names: [String]) throws -> SweepReport {
        try SweepReport(
            names.map { name in
                let checkpoint = SweepCheckpoint(model: name, name: name, training: TrainingProgress(name: name))
                return SweepReport.Measured(checkpoint: checkpoint, profile: SmallProfile.make())
            }, failures: [])
    }

    /// The tied fixture, whatever the checkpoint is called.
    private func job(
        _ name: String, tokenSeed: UInt64 = 1, settings: Analysis.Settings = SweepTests.settings
    ) throws -> AnalysisJob {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(
            separator: "/")
        let model = try DecoderModel(Checkpoint.open("\(folder)/TransformersTests/Fixtures/llama-tied"))
        let place = try TemporaryFolder()
        var state = tokenSeed
        let lines = (0..<8).map { _ in
            let ids = (0..<40).map { _ -> String in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return String(state >> 58)
            }
            return "[\(ids.joined(separator: ","))]\n"
        }
        let file = try MappedFile(place.write(lines.joined(), to: "ids.jsonl"))
        return try AnalysisJob(
            model: model, device: .host(laneCount: 1), settings: settings, program: SweepTests.program
        ) { try Corpus.tokens(file, vocabularySize: $0.plan.vocabularySize) }
    }

    private struct Outcome {
        var new: [String] = []
        var old: [String] = []
        var failures: [String] = []
        var reasons: [String] = []
        var report: SweepReport?
    }

    private func run(_ sweep: Sweep, failing name: String? = nil, tokenSeed: UInt64 = 1) throws -> Outcome {
        var outcome = Outcome()
        let (report, failures) = try sweep.run(saveInterval: 60) { checkpoint in
            if checkpoint.name == name { throw Interrupted() }
            return try job(checkpoint.name, tokenSeed: tokenSeed)
        } report: { event in
            guard case .finished(let place, _, let isNew) = event else { return }
            if isNew { outcome.new.append(place.checkpoint.name) } else { outcome.old.append(place.checkpoint.name) }
        }
        outcome.report = report
        outcome.failures = failures.map(\.checkpoint.name)
        outcome.reasons = failures.map { "\($0.error)" }
        return outcome
    }
}
