/// A model's files of weights in one folder: a single file, or shards under an index.
struct WeightIndex {
    /// In name order.
    let files: [MappedFile]
    /// File after file, each in the order of its bytes.
    let directory: TensorDirectory

    /// File systems have no longer names.
    private static let nameByteCountLimit = 255

    /// One file.
    init(single path: String, _ format: WeightFormat) throws(CheckpointError) {
        let file = try format.open(path)
        files = [file.file]
        directory = file.directory
    }

    /// The shards that the format's index in `folder` names.
    init(shardsIn folder: String, _ format: WeightFormat) throws(CheckpointError) {
        let path = "\(folder)/\(format.indexName)"
        let tensorsOfShards = try Self.tensorsOfShards(path, format)
        var files: [MappedFile] = []
        var directory = TensorDirectory()
        for shard in tensorsOfShards.keys.sorted() {
            let names = tensorsOfShards[shard] ?? []
            let file = try Self.open(shard, in: folder, format, index: path, firstTensor: names.first ?? "")
            if let missing = names.first(where: { !file.directory.contains($0) }) {
                throw .shardLacksTensor(path: path, shard: shard, tensor: missing)
            }
            // What the index does not name is not part of the model.
            let wanted = Set(names.map(ExactString.init))
            for entry in file.directory.entries where wanted.contains(ExactString(entry.name)) {
                // Names cannot repeat: they are keys of one JSON object.
                _ = directory.append(entry)
            }
            files.append(file.file)
        }
        self.files = files
        self.directory = directory
    }

    /// The names under each shard, from the index's `weight_map`.
    private static func tensorsOfShards(
        _ path: String, _ format: WeightFormat
    ) throws(CheckpointError) -> [String: [String]] {
        let index = try JSON.read(path)
        guard let map = index["weight_map"]?.object else {
            throw .wrongMember(
                path: path, place: "weight_map", expected: "an object of file names",
                found: index["weight_map"]?.kind ?? "nothing")
        }
        var tensors: [String: [String]] = [:]
        for (name, value) in map.members {
            guard let shard = value.string else {
                throw .wrongMember(
                    path: path, place: "weight_map, \(name.quoted)", expected: "a file name", found: value.kind)
            }
            guard isPlainName(shard, format) else { throw .unsafeShardName(path: path, shard: shard) }
            tensors[shard, default: []].append(name)
        }
        guard !tensors.isEmpty else {
            throw .wrongMember(path: path, place: "weight_map", expected: "file names", found: "an empty object")
        }
        return tensors
    }

    /// An index from elsewhere must not make us read files outside its folder, and its names are parts of paths in
    /// messages.
    private static func isPlainName(_ name: String, _ format: WeightFormat) -> Bool {
        name.hasSuffix(format.suffix) && !name.hasPrefix(".") && !name.utf8.contains(UInt8(ascii: "/"))
            && name.utf8.count <= nameByteCountLimit
            && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    private static func open(
        _ shard: String, in folder: String, _ format: WeightFormat, index: String, firstTensor: String
    ) throws(CheckpointError) -> (file: MappedFile, directory: TensorDirectory) {
        do throws(CheckpointError) {
            return try format.open("\(folder)/\(shard)")
        } catch .missing {
            throw .shardMissing(path: index, shard: shard, tensor: firstTensor)
        }
    }
}
