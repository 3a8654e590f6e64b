import ArgumentParser

@main
struct Straightedge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "straightedge",
        abstract: "Measures how linear the layers of a transformer decoder are, and cuts those that are missed least.",
        discussion: """
            EXAMPLES
              straightedge analyze SmolLM2-135M-Instruct.Q4_1.gguf --text enwiki.txt
              straightedge plan model.gguf --drop 4 --text novel.txt
              straightedge prune model.gguf --plan plan.json --mode merge --text novel.txt --out shorter
              straightedge inspect meta-llama/Llama-3.2-1B/
              straightedge doctor --conformance

            Exit codes: 0 done, 1 failed, 2 refused (for instance too few tokens, or a pruned
            model beyond its limits), 64 wrong usage.
            """,
        version: Version.current,
        subcommands: [
            Analyze.self, SweepCommand.self, Compare.self, Report.self, Procrustes.self, Evaluate.self, Plan.self,
            Prune.self, Fit.self, HiddenStates.self, Tokenize.self, Inspect.self, Doctor.self, Bench.self,
        ])
}

/// The version of the program.
enum Version {
    static let current = "0.1.0"
}
