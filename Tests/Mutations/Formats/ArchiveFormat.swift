import Checkpoints

/// A model folder whose weights are PyTorch archives: one, or shards under an index.
struct ArchiveFormat: InputFormat {
    let name = "archive"

    func base(_ random: inout RandomSource) -> CaseFiles { Self.folder(changes: 0, &random) }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 3)
        var files = Self.folder(changes: isBlind ? 0 : 1 + random.index(3), &random)
        if isBlind || random.once(in: 6) {
            for _ in 0...random.index(3) {
                let name = random.pick(files.names.filter { $0.hasSuffix(".bin") })
                guard var bytes = files[name] else { continue }
                ByteMutation.mutate(&bytes, &random)
                files[name] = bytes
            }
        }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) { ModelExercise.run(path, &exercise) }

    private static func folder(changes: Int, _ random: inout RandomSource) -> CaseFiles {
        let weights = TinyModel.weights(TinyModel.huggingFaceNames)
        var archives: [(name: String, document: ArchiveDocument)] = []
        var files: [(name: String, bytes: [UInt8])] = [("config.json", FolderFormat.config.bytes)]
        if random.once(in: 2) {
            archives = [("pytorch_model.bin", ArchiveDocument(weights, &random))]
        } else {
            let cut = weights.count / 2
            var map = JSONTree([:])
            for (number, shard) in [weights[..<cut], weights[cut...]].enumerated() {
                let name = "pytorch_model-0000\(number + 1)-of-00002.bin"
                archives.append((name, ArchiveDocument(Array(shard), &random)))
                for weight in shard { map[weight.name] = .leaf(JSONTree.string(name)) }
            }
            var index = JSONTree([:])
            index["weight_map"] = map
            files.append(("pytorch_model.bin.index.json", index.bytes))
        }
        for _ in 0..<changes { archives[random.index(archives.count)].document.mutate(&random) }
        files += archives.map { ($0.name, $0.document.bytes) }
        files.append(("tokenizer.json", TokenizerDocument.base(&random).bytes))
        return CaseFiles(folder: files)
    }
}
