public import Checkpoints

/// Writes the weights of a model as Hugging Face does: `model.safetensors`, or shards
/// `model-00001-of-0000N.safetensors` with an index that says which has which tensor.
///
/// The format: https://huggingface.co/docs/safetensors
public struct SafetensorsShards {
    /// Bytes of tensors in a shard; a larger tensor has a shard of its own.
    public static let defaultByteCount = 5_000_000_000

    /// In the order of the tensors.
    private var shards: [[ExportTensor]] = []
    private let totalByteCount: Int

    /// Distributes tensors, in their order, over shards.
    ///
    /// - Precondition: names are unique.
    public init(_ tensors: [ExportTensor], shardByteCount: Int = defaultByteCount) {
        var room = 0
        for tensor in tensors {
            if shards.isEmpty || tensor.byteCount > room {
                shards.append([])
                room = shardByteCount
            }
            shards[shards.count - 1].append(tensor)
            room -= tensor.byteCount
        }
        if shards.isEmpty { shards = [[]] }
        totalByteCount = tensors.reduce(0) { $0 + $1.byteCount }
    }

    /// Names of the files in the order of their tensors.
    public var fileNames: [String] {
        guard shards.count > 1 else { return ["model.safetensors"] }
        return shards.indices.map { "model-\(digits($0 + 1))-of-\(digits(shards.count)).safetensors" }
    }

    /// Writes the files, and the index where there are several.
    public func write(to folder: OutputFolder) throws(ExportError) {
        for (name, tensors) in zip(fileNames, shards) { try write(tensors, to: folder, name) }
        guard shards.count > 1 else { return }
        try wrappingOutput { () throws(OutputError) in
            let file = try folder.makeFile("model.safetensors.index.json")
            try file.write(JSON.object(index).serialized(indented: true))
            try file.finish()
        }
    }

    private func write(_ tensors: [ExportTensor], to folder: OutputFolder, _ name: String) throws(ExportError) {
        let file = try wrappingOutput { () throws(OutputError) in
            let file = try folder.makeFile(name)
            let header = SafetensorsShards.header(tensors)
            try file.write([UInt64(header.count).littleEndian])
            try file.write(header)
            return file
        }
        for tensor in tensors {
            let begin = file.byteCount
            try tensor.write(file)
            guard file.byteCount - begin == tensor.byteCount else {
                throw .tensorByteCount(
                    tensor: tensor.name, expected: tensor.byteCount, written: file.byteCount - begin)
            }
        }
        try wrappingOutput { () throws(OutputError) in try file.finish() }
    }

    /// The JSON before the elements, padded so that these begin at a multiple of 8 bytes.
    private static func header(_ tensors: [ExportTensor]) -> [UInt8] {
        var header: JSONObject = ["__metadata__": ["format": "pt"]]
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.byteCount
            header[tensor.name] = [
                "dtype": .string(tensor.elementType.rawValue), "shape": .array(tensor.shape.map(JSON.integer)),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            offset = end
        }
        let text = Array(JSON.object(header).serialized(indented: false).utf8)
        return text + [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    }

    private var index: JSONObject {
        var map = JSONObject()
        for (name, tensors) in zip(fileNames, shards) {
            for tensor in tensors { map[tensor.name] = .string(name) }
        }
        return ["metadata": ["total_size": .integer(totalByteCount)], "weight_map": .object(map)]
    }

    private func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
}
