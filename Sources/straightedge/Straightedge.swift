import ArgumentParser

@main
struct Straightedge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "straightedge",
        abstract: "Measures how linear the layers of a transformer decoder are.",
        discussion: """
            EXAMPLES
              straightedge analyze SmolLM2-135M-Instruct.Q4_1.gguf --text enwiki.txt
              straightedge inspect meta-llama/Llama-3.2-1B/
              straightedge doctor --conformance

            Exit codes: 0 done, 1 failed, 2 refused (for instance too few tokens), 64 wrong usage.
            """,
        version: Version.current,
        subcommands: [
            Analyze.self, SweepCommand.self, Compare.self, Report.self, Procrustes.self, Evaluate.self, Plan.self,
            Prune.self, Fit.self, HiddenStates.self, Tokenize.self, Inspect.self,
            Doctor.self,
            Bench.self,
        ])
}

/// The version of the program.
enum Version {
    static let current = "0.1.0"
}
