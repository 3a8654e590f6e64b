import ArgumentParser
import Checkpoints
import Compute
import Linearity
import Transformers

/// Lets every allocation, launch, library call and wait of a small analysis on the emulated device fail in turn.
struct Failures: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let each call to the emulated GPU fail in turn, and watch the error.",
        discussion: """
            Each failure must come back as an error that says what failed, and nothing of the device's memory may be left. \
            Exit codes: 0 nothing found, 1 findings.

            EXAMPLES
              mutations failures Tests/TransformersTests/Fixtures/llama-tied
              mutations failures Tests/TransformersTests/Fixtures/llama-tied --every 10
            """)

    @Argument(help: "A model whose first layer is analyzed.", completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("Let only every n-th call fail.", valueName: "n"))
    var every = 1

    func validate() throws {
        if every < 1 { throw ValidationError("--every must be at least 1.") }
    }

    func run() throws {
        let emulation = try Emulation()
        emulation.reset()
        var tries: [Emulation.Failing: Int] = [:]
        let message = try analyze { tries = emulation.counters.tries }
        if let message { throw Finding("the analysis fails where nothing is made to fail: \(message)") }
        try checkLeaks(emulation, "an analysis that succeeds")
        var findings = 0
        for failing in Emulation.Failing.allCases {
            let count = tries[failing] ?? 0
            var worked = 0
            for number in stride(from: 1, through: count, by: every) {
                emulation.reset(failing: failing, at: number)
                do {
                    try check(failing, number, emulation)
                } catch let finding as Finding {
                    findings += 1
                    print("\(failing.rawValue) \(number): \(finding.description)")
                }
                worked += 1
            }
            print("\(failing.rawValue): \(worked) of \(count) made to fail")
        }
        emulation.reset()
        print("\(findings) findings")
        if findings > 0 { throw ExitCode(1) }
    }

    private func check(_ failing: Emulation.Failing, _ number: Int, _ emulation: Emulation) throws {
        guard let message = try analyze() else { throw Finding("no error came") }
        if message.isEmpty || message.count > 2_000 { throw Finding("a message of \(message.count) characters") }
        try checkLeaks(emulation, message)
    }

    private func checkLeaks(_ emulation: Emulation, _ after: String) throws {
        let counters = emulation.counters
        if counters.liveAllocationCount + counters.liveHostAllocationCount > 0 {
            throw Finding(
                "\(counters.liveAllocationCount) allocations and \(counters.liveHostAllocationCount) of the host are left "
                    + "after: \(after)")
        }
    }

    /// The message of what went wrong, or nil.
    ///
    /// - Parameter finished: Called before the device is closed, whose last failures nobody is told.
    private func analyze(finished: () -> Void = {}) throws -> String? {
        let model = try DecoderModel(Checkpoint.open(self.model))
        var settings = Analysis.Settings()
        settings.layers = 0..<1
        settings.foldCount = 2
        let lengths = [20, 1, 30, 25]
        let layout = SequenceLayout(lengths: lengths)
        let tokens = (0..<layout.tokenCount).map { Int32($0 * 7 % model.plan.vocabularySize) }
        do {
            let device = try Device.emulated()
            _ = try Analysis(model: model, device: device, settings: settings).run(tokens: tokens, layout: layout)
            finished()
            return nil
        } catch let error as ComputeError {
            return error.description
        } catch let error as LinearityError {
            return error.description
        }
    }

    private struct Finding: Error {
        let description: String
        init(_ description: String) { self.description = description }
    }
}
