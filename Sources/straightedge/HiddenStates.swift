import ArgumentParser
import Checkpoints
import Compute
import Glibc
import Linearity
import Reports
import Tokenizers
import Transformers

struct HiddenStates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hidden-states",
        abstract: "Write the residual stream between the layers, and the logits, for other software.",
        discussion: """
            One safetensors file, float32, the sequences packed one after another: tokens and sequence_lengths (I32); \
            stream.0 enters layer 0, stream.L leaves layer L-1, stream.norm is the output of the final norm, each \
            (tokens, width); with --logits also logits, (tokens, vocabulary).

            EXAMPLES
              straightedge hidden-states model.gguf --tokens ids.jsonl --out states.safetensors
              straightedge hidden-states model.gguf --text note.txt --sequences 1 --logits --out states.safetensors
              straightedge hidden-states HuggingFaceTB/SmolLM2-135M --tokens ids.jsonl --out states.safetensors
            """)

    @OptionGroup var model: ModelArgument
    @OptionGroup(title: "Tokens") var corpus: CorpusOptions
    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Flag(help: "Write the logits too.")
    var logits = false

    @Flag(help: "Write the logits only.")
    var onlyLogits = false

    @Option(help: ArgumentHelp("File to write.", valueName: "file.safetensors"), completion: .file())
    var out: String

    @Flag(help: "Replace a file that exists.")
    var force = false

    func run() throws {
        try Failure.reporting {
            let device = try self.device.open()
            let model = try self.model.open()
            Interruption.explain("nothing was written; the same command begins anew")
            let corpus = try self.corpus.load(for: model)
            let layout = SequenceLayout(lengths: corpus.sequences.map(\.count))
            let plan = model.plan
            let computeType = self.device.computeType(of: model, on: device)
            let memory = try MemoryPlan(
                plan: plan, layout: layout, device: device, computeType: computeType,
                budgetByteCount: self.device.memory?.value)
            let writer = try SafetensorsWriter(
                path: out, replaces: force,
                tensors: tensors(plan, tokenCount: layout.tokenCount, sequenceCount: layout.lengths.count))
            try writer.write(corpus.sequences.flatMap { $0 })
            try writer.write(layout.lengths.map { Int32($0) })

            let forward = try Forward(
                model: model, device: device, layout: layout, slabTokenCount: memory.slabTokenCount,
                placement: memory.placement, computeType: computeType,
                layersReadAhead: memory.readsAhead ? 0..<plan.layerCount : 0..<0)
            var stream = try forward.embed(corpus.sequences.flatMap { $0 })
            if !onlyLogits { try write(stream, writer) }
            for layer in 0..<plan.layerCount {
                stream = try forward.apply(layer, to: stream)
                if !onlyLogits { try write(stream, writer) }
            }
            let normed = try forward.finalNorm(stream, into: stream)
            if !onlyLogits { try write(normed, writer) }
            if logits || onlyLogits {
                let head = try forward.outputHead()
                for begin in stride(from: 0, to: layout.tokenCount, by: 64) {
                    let rows = begin..<min(begin + 64, layout.tokenCount)
                    try writer.write(try device.floats(of: forward.logits(of: normed, rows: rows, head: head)))
                }
            }
            try writer.finish()
        }
    }

    private func tensors(_ plan: DecoderPlan, tokenCount: Int, sequenceCount: Int) -> [SafetensorsWriter.Entry] {
        var entries = [
            SafetensorsWriter.Entry(name: "tokens", type: "I32", shape: [tokenCount]),
            SafetensorsWriter.Entry(name: "sequence_lengths", type: "I32", shape: [sequenceCount]),
        ]
        if !onlyLogits {
            let names = (0...plan.layerCount).map { "stream.\($0)" } + ["stream.norm"]
            entries += names.map { SafetensorsWriter.Entry(name: $0, type: "F32", shape: [tokenCount, plan.width]) }
        }
        if logits || onlyLogits {
            entries.append(.init(name: "logits", type: "F32", shape: [tokenCount, plan.vocabularySize]))
        }
        return entries
    }

    private func write(_ stream: Stream, _ writer: SafetensorsWriter) throws {
        let staging = try stream.device.makeTensor([4096, stream.width], .float32, for: "rows of the stream")
        for begin in stride(from: 0, to: stream.layout.tokenCount, by: 4096) {
            let rows = begin..<min(begin + 4096, stream.layout.tokenCount)
            try writer.write(try stream.device.floats(of: stream.rows(rows, staging: staging)))
        }
    }
}
