extension Checkpoint {
    /// A name for the model's exact content, as `FileFingerprint` makes it of the pieces of all files.
    ///
    /// The files are the GGUF file, or config.json and then the files of weights in name order. Reads every byte.
    public func fingerprint() -> String {
        let pieces = fingerprintedFiles.flatMap(FileFingerprint.pieces)
        return FileFingerprint.name(of: FileFingerprint.digests(of: pieces, releases: false))
    }

    private var fingerprintedFiles: [MappedFile] {
        switch format {
        case .gguf(let gguf): [gguf.file]
        case .huggingFace(let folder): [folder.configFile] + folder.weightFiles
        }
    }
}
