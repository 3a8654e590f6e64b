import Checkpoints
public import Tensors
public import Transformers

/// Writes an edited model as a GGUF file that llama.cpp reads, from the GGUF file that the model was read from.
///
/// Layers that are left out are missing and the others numbered anew; metadata and all tensors that did not change keep
/// their bytes, changed projections have a type of their own. Linear maps have no place in llama.cpp's models.
public struct GGUFExport {
    private let writer: GGUFWriter
    /// What the written file has to say.
    private let plan: DecoderPlan
    private let edit: ModelEdit

    /// Architectures of llama.cpp whose MLP may have a bias behind its last projection and need not.
    private static let architecturesWithOptionalBiases: Set = ["granite", "llama", "mpt", "nemotron"]

    /// Prepares the file; nothing is written yet.
    ///
    /// - Parameters:
    ///   - model: As it was read from a GGUF file.
    ///   - projectionType: What changed projections are stored as: F32, F16, BF16, or Q8_0 where rows are whole blocks.
    ///     nil: the float type of the projection that was there; where that is quantized Q8_0, or F16 for rows that are no
    ///     whole blocks.
    /// - Throws: `edit`: an edit that does not fit the model, or a type that does not fit its projections;
    ///   `inexpressible`: a linear map, a bias that the architecture has no place for; `weight`: a number that is too large
    ///   for its type.
    public init(
        _ model: DecoderModel, edit: ModelEdit, projectionType: ElementType? = nil
    ) throws(ExportError) {
        guard case .gguf(let file) = model.checkpoint.format else {
            throw .edit(
                path: model.checkpoint.path,
                problem:
                    "a GGUF file is written only of a model that is one; export a Hugging Face folder, and convert it "
                    + "with llama.cpp's convert_hf_to_gguf.py")
        }
        try HuggingFaceExport.check(edit, of: model)
        let layout = Layout(model: model, file: file, edit: edit, projectionType: projectionType)
        try layout.requireNoMaps()
        if let projectionType { try layout.check(projectionType) }
        let addsBiases = try layout.addsBiases(Self.architecturesWithOptionalBiases)
        writer = try layout.writer(addsBiases: addsBiases)
        var plan = model.plan
        plan.layers = edit.layers.map { model.plan.layers[$0.source] }
        if addsBiases { plan.biases.insert(.feedForwardOutput) }
        self.plan = plan
        self.edit = edit
    }

    /// Looks whether the format can say what the edited model is, before its tensors are there; nothing is left.
    ///
    /// - Throws: `inexpressible`, which names the rule that the format cannot say; `output`.
    public func rehearse(beside path: String) throws(ExportError) {
        try check(
            try wrappingOutput { () throws(OutputError) in try writer.rehearse(beside: path, replaces: false) }, path)
    }

    /// Writes the file and puts it in its place when it is whole; nothing is left otherwise.
    ///
    /// What the file says is read again before its tensors are written: rules that llama.cpp derives from a layer's number,
    /// or from the number of layers, must be those that the layers were trained with.
    ///
    /// - Parameter replaces: Whether a file that exists may be replaced.
    /// - Throws: `inexpressible`, which names the rule that the format cannot say; `output`.
    public func write(to path: String, replaces: Bool = false) throws(ExportError) {
        try check(
            try wrappingOutput { () throws(OutputError) in try writer.rehearse(beside: path, replaces: replaces) }, path
        )
        try wrappingOutput { () throws(OutputError) in try writer.write(to: path, replaces: replaces) }
    }

    /// What can be done where GGUF cannot say what a model is.
    static func otherFormat(_ family: String) -> String {
        GGUFConversion.architectures.contains(family)
            ? "use --format huggingface" : "start from the Hugging Face folder that the file was converted from"
    }

    private func check(_ rehearsal: WholeFile, _ path: String) throws(ExportError) {
        let checkpoint = try wrappingCheckpoint { () throws(CheckpointError) in
            try Checkpoint.open(rehearsal.temporaryPath)
        }
        let written = try wrappingTransformer { () throws(TransformerError) in try DecoderModel(checkpoint) }.plan
        let sources = edit.layers.map(\.source)
        guard let difference = ExportedConfiguration.difference(written, plan, sources) else { return }
        throw .inexpressible(
            path: path,
            problem:
                "\(difference): in GGUF files of \(plan.family) models it follows from the numbers of layers alone; "
                + "choose other layers, or \(GGUFExport.otherFormat(plan.family))")
    }
}

// MARK: - Tensors

/// The tensors and the metadata of an edited model.
private struct Layout {
    let model: DecoderModel
    let file: GGUFFile
    let edit: ModelEdit
    let projectionType: ElementType?

    private var path: String { file.file.path }
    private static let projection = "ffn_down.weight"
    private static let projectionBias = "ffn_down.bias"

    func requireNoMaps() throws(ExportError) {
        let places = edit.layers.filter { !$0.maps.isEmpty }.map { "\($0.source)" }
        guard !places.isEmpty else { return }
        throw .inexpressible(
            path: path,
            problem: "linear maps stand in the place of layers or sublayers (\(places.joined(separator: ", "))), and "
                + "llama.cpp has no such layer; remove or merge the layers, or \(GGUFExport.otherFormat(model.plan.family))"
        )
    }

    /// Whether last projections get biases where the model has none.
    func addsBiases(_ architectures: Set<String>) throws(ExportError) -> Bool {
        guard edit.addsFeedForwardBiases, !model.plan.biases.contains(.feedForwardOutput) else { return false }
        let name = try architecture
        guard architectures.contains(name) else {
            throw .inexpressible(
                path: path,
                problem:
                    "llama.cpp's \(name) has no bias behind the MLP, and merged layers are to get one; merge without "
                    + "--add-bias, or remove the layers")
        }
        return true
    }

    private var architecture: String {
        get throws(ExportError) {
            try wrappingCheckpoint { () throws(CheckpointError) in try file.metadata.string("general.architecture") }
        }
    }

    func writer(addsBiases: Bool) throws(ExportError) -> GGUFWriter {
        var writer = GGUFWriter(metadataOf: file)
        let name = try architecture
        try wrappingCheckpoint { () throws(CheckpointError) in
            try writer.keepLayers(edit.layers.map(\.source), of: file, architecture: name)
        }
        for name in file.tensorNames {
            guard let (source, part) = Self.layer(name) else {
                writer.tensors.append(try stored(name, name, writer))
                continue
            }
            guard let index = edit.layers.firstIndex(where: { $0.source == source }) else { continue }
            writer.tensors += try tensors(name, part, index, addsBiases: addsBiases, writer)
        }
        if writer.tensors.contains(where: \.isQuantizedAnew) {
            writer.addIfAbsent("general.quantization_version", 2)
        }
        return writer
    }

    /// The layer and the part of it in `blk.LAYER.PART`.
    private static func layer(_ name: String) -> (index: Int, part: String)? {
        let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "blk", let index = Int(parts[1]) else { return nil }
        return (index, String(parts[2]))
    }

    private func stored(
        _ name: String, _ newName: String, _ writer: GGUFWriter
    ) throws(ExportError) -> GGUFWriter.Tensor {
        try wrappingCheckpoint { () throws(CheckpointError) in try writer.stored(name, as: newName) }
    }

    /// What a stored tensor of a layer becomes.
    private func tensors(
        _ name: String, _ part: String, _ index: Int, addsBiases: Bool, _ writer: GGUFWriter
    ) throws(ExportError) -> [GGUFWriter.Tensor] {
        let prefix = "blk.\(index)"
        let changed = edit.layers[index].feedForwardOutput
        switch part {
        case Self.projection:
            let weight: GGUFWriter.Tensor
            if let changed {
                weight = try projection(changed.weight, name, prefix)
            } else {
                weight = try stored(name, "\(prefix).\(part)", writer)
            }
            guard addsBiases else { return [weight] }
            let bias = changed?.bias ?? [Float](repeating: 0, count: model.plan.width)
            return [weight, try values("\(prefix).\(Self.projectionBias)", bias, [bias.count], .float32)]
        case Self.projectionBias:
            guard let bias = changed?.bias else { break }
            return [try values("\(prefix).\(part)", bias, [bias.count], .float32)]
        default: break
        }
        return [try stored(name, "\(prefix).\(part)", writer)]
    }

    private func projection(
        _ weight: [Float], _ name: String, _ prefix: String
    ) throws(ExportError) -> GGUFWriter.Tensor {
        let columnCount = model.plan.feedForward.width
        let elementType = projectionType ?? defaultType(name, columnCount)
        return try values("\(prefix).\(Self.projection)", weight, [model.plan.width, columnCount], elementType)
    }

    /// Holds a type to be one that projections can be written as.
    func check(_ elementType: ElementType) throws(ExportError) {
        let columnCount = model.plan.feedForward.width
        guard ElementType.writable.contains(elementType) else {
            throw .edit(
                path: path,
                problem: "changed projections are not written as \(elementType.rawValue), but as F32, F16, BF16 or Q8_0"
            )
        }
        guard columnCount.isMultiple(of: elementType.blockElementCount) else {
            throw .edit(
                path: path,
                problem:
                    "\(Self.projection) has rows of \(columnCount) numbers, which are no whole blocks of "
                    + "\(elementType.blockElementCount) as \(elementType.rawValue) has them; write it as F16, BF16 or F32"
            )
        }
    }

    private func defaultType(_ name: String, _ columnCount: Int) -> ElementType {
        switch model.checkpoint.elementType(of: name) {
        case .float32, .float64: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        default: columnCount.isMultiple(of: ElementType.q8_0.blockElementCount) ? .q8_0 : .float16
        }
    }

    private func values(
        _ name: String, _ values: [Float], _ shape: [Int], _ elementType: ElementType
    ) throws(ExportError) -> GGUFWriter.Tensor {
        precondition(values.count == shape.reduce(1, *), "\(values.count) numbers for \(name) of shape \(shape)")
        if let value = values.first(where: { !($0.magnitude <= elementType.largestFinite) }) {
            throw .weight(tensor: name, value: value, elementType: elementType.rawValue)
        }
        return GGUFWriter.values(name, values, shape: shape, elementType)
    }
}

// MARK: - Metadata

extension GGUFWriter {
    /// Has the metadata say that a model has these of its layers.
    ///
    /// Where a setting of the architecture has an element for each layer, those of the layers are kept.
    mutating func keepLayers(
        _ layers: [Int], of file: GGUFFile, architecture: String
    ) throws(CheckpointError) {
        let countKey = "\(architecture).block_count"
        let layerCount = try file.metadata.integer(countKey)
        try setInteger(countKey, layers.count)
        // Of the parts of a position, not of layers.
        let exceptions: Set = ["\(architecture).rope.dimension_sections"]
        for key in file.metadata.keys where key.hasPrefix("\(architecture).") && !exceptions.contains(key) {
            guard case .array(let array)? = file.metadata[key], array.count == layerCount,
                array.elementType != .string, array.elementType != .array
            else { continue }
            try keepElements(layers, of: key)
        }
    }
}
