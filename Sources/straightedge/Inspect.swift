import ArgumentParser
import Checkpoints
import Compute
import Linearity
import Reports
import Tokenizers
import Transformers

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a model file holds: plan, parameters, element types, tokenizer, memory needed.",
        discussion: """
            EXAMPLES
              straightedge inspect SmolLM2-135M-Instruct.Q4_1.gguf
              straightedge inspect ./Llama-3.2-1B
              straightedge inspect HuggingFaceTB/SmolLM2-135M
              straightedge inspect JackFram/llama-68m@main
              straightedge inspect checkpoints/step-1000.pt
            """)

    @OptionGroup var model: ModelArgument

    func run() throws {
        try Failure.reporting {
            let checkpoint = try self.model.openCheckpoint()
            let model = try DecoderModel(checkpoint)
            show(checkpoint)
            for line in PlanDescription(plan: model.plan).lines { show(line.name, line.value) }
            show("tokenizer", tokenizerDescription(checkpoint))
            try showMemory(model.plan)
        }
    }

    private func show(_ checkpoint: Checkpoint) {
        show("model", "\(checkpoint.name)  (\(checkpoint.path))")
        if let snapshot = checkpoint.snapshot {
            show("revision", "\(snapshot.commit) of \(snapshot.repository)")
        }
        switch checkpoint.format {
        case .gguf(let file):
            show("format", "GGUF version \(file.version), \(checkpoint.tensorNames.count) tensors")
        case .huggingFace(let folder):
            let count = folder.weightFiles.count
            show(
                "format",
                "Hugging Face folder, \(describe(folder.weightFormat, count)), \(checkpoint.tensorNames.count) tensors")
        }
        show("size", Text.bytes(checkpoint.byteCount))
        show("parameters", Text.count(checkpoint.parameterCount))
        for type in checkpoint.elementTypeCounts {
            show("  \(type.name)", "\(Text.count(type.parameterCount)) in \(type.tensorCount) tensors")
        }
    }

    private func describe(_ format: WeightFormat, _ count: Int) -> String {
        switch format {
        case .safetensors: "safetensors in \(count) file\(count == 1 ? "" : "s")"
        case .pyTorch: "\(count) PyTorch archive\(count == 1 ? "" : "s")"
        }
    }

    private func tokenizerDescription(_ checkpoint: Checkpoint) -> String {
        do throws(TokenizerError) {
            return try Tokenizer(checkpoint).summary
        } catch {
            return "not usable: \(error)"
        }
    }

    /// What `analyze` would take by default: windows of 512 tokens, ten tokens a column.
    private func showMemory(_ plan: DecoderPlan) throws {
        let length = min(512, plan.maximumPositions)
        let count = (10 * plan.width + length - 1) / length
        var settings = Analysis.Settings()
        settings.memoryByteCount = Int.max
        let memory = try MemoryPlan(
            plan: plan, layout: SequenceLayout(lengths: [Int](repeating: length, count: count)), settings: settings,
            foldCount: settings.foldCount, device: .host())
        show(
            "memory",
            "\(Text.bytes(memory.byteCount)) to analyze \(Text.count(count * length)) tokens, "
                + "\(Text.bytes(memory.streamByteCount)) of it for the streams, which may go to a scratch file; "
                + "the mapped file comes on top")
    }

    private func show(_ name: String, _ value: String) {
        print(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }
}
