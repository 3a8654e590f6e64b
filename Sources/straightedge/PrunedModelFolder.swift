import Checkpoints
import Pruning
import Reports
import Tensors
import Transformers

/// The folder of a pruned model: it gets its name when the model has been judged.
struct PrunedModelFolder {
    let path: String
    private let output: OutputFolder
    private let model: DecoderModel
    private let format: PruningJob.Format
    private let type: ElementType?

    /// Looks whether the model can be written there, before hours are spent on it.
    init(
        _ path: String, _ model: DecoderModel, format: PruningJob.Format, type: ElementType?, pruner: Pruner,
        cut: CutLayers
    ) throws {
        self.model = model
        self.format = format
        self.type = type
        output = try OutputFolder(path)
        self.path = output.path
        try output.check {
            try PrunedModelFolder.check(
                model, format: format, type: type, pruner: pruner, cut: cut, beside: "\($0)/model")
        }
    }

    /// Looks whether a format can say what the model will be; nothing is left.
    ///
    /// - Parameter path: A file that is not there, beside which something can be written.
    static func check(
        _ model: DecoderModel, format: PruningJob.Format, type: ElementType?, pruner: Pruner, cut: CutLayers,
        beside path: String
    ) throws {
        let source = PrunedModelFolder.format(of: model)
        switch format {
        case .huggingFace:
            if source == .huggingFace, type != nil {
                throw FormatProblem(
                    description: "the weights of a Hugging Face folder keep their types: leave out --type")
            }
            try pruner.checkExport(cut, elementType: type)
        case .gguf:
            guard source == .gguf else {
                throw FormatProblem(
                    description:
                        "a GGUF file is written of a GGUF file only; write a Hugging Face folder and convert it "
                        + "with llama.cpp's convert_hf_to_gguf.py")
            }
            if pruner.mode == .remove, type != nil {
                throw FormatProblem(description: "--type is of merged projections, and --mode remove changes none")
            }
            try pruner.checkGGUFExport(cut, projectionType: type, beside: path)
        }
    }

    /// What a model is.
    static func format(of model: DecoderModel) -> PruningJob.Format {
        if case .gguf = model.checkpoint.format { .gguf } else { .huggingFace }
    }

    /// Writes the model, and opens it again.
    func write(_ edit: ModelEdit) throws -> DecoderModel {
        switch format {
        case .huggingFace:
            try HuggingFaceExport(model, edit, elementType: type).write(into: output)
            return try output.check { try DecoderModel(Checkpoint.open($0)) }
        case .gguf:
            let name = "\(model.checkpoint.name)-pruned.gguf"
            try GGUFExport(model, edit: edit, projectionType: type).write(to: output.place(name))
            return try output.check { try DecoderModel(Checkpoint.open("\($0)/\(name)")) }
        }
    }

    /// Adds what is to be said of the model, and puts the folder in its place.
    func finish(_ report: PruningReport) throws {
        try output.write(report.json().serialized(indented: true), to: "manifest.json")
        try output.write(report.page(), to: "report.html")
        try output.finish()
    }
}

/// Why a model cannot be written in a format.
struct FormatProblem: Error, CustomStringConvertible {
    let description: String
}
