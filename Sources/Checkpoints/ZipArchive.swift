/// A ZIP archive whose directory and records were checked against each other; see `ZipReader`.
struct ZipArchive: Sendable {
    let file: MappedFile
    /// In the order of the archive's directory.
    let records: [ArchiveRecord]
    private let indices: [ExactString: Int]

    /// What all deflated records of an archive may unpack to: this much a byte of the file, and one MiB. Real weights
    /// hardly deflate; what is beyond is nothing but repetition, made to exhaust memory.
    static let unpackingFactor = 32

    init(_ file: MappedFile) throws(CheckpointError) {
        var reader = ZipReader(file)
        let entries = try reader.readEntries()
        try Self.requireUnpackable(entries, file)
        // PyTorch can leave checksums out: then they are 0 in all records.
        let hasChecksums = entries.contains { $0.checksum != 0 }
        var indices: [ExactString: Int] = [:]
        for (index, entry) in entries.enumerated()
        where indices.updateValue(index, forKey: ExactString(entry.name)) != nil {
            throw .malformed(
                path: file.path, byteOffset: entry.dataOffset, problem: "the record \(entry.name.quoted) is repeated")
        }
        self.file = file
        self.indices = indices
        records = entries.map { ArchiveRecord(file, $0, hasChecksum: hasChecksums) }
    }

    subscript(name: String) -> ArchiveRecord? { indices[ExactString(name)].map { records[$0] } }

    private static func requireUnpackable(_ entries: [ZipEntry], _ file: MappedFile) throws(CheckpointError) {
        let limit = file.byteCount.multipliedReportingOverflow(by: unpackingFactor).partialValue + 1 << 20
        var byteCount = 0
        for entry in entries where entry.isDeflated {
            guard entry.byteCount <= limit - byteCount else {
                throw .unsupportedArchive(
                    path: file.path,
                    problem:
                        "its compressed records unpack to more than \(limit) bytes, \(unpackingFactor) times its size",
                    remedy: "If it is what it should be, save it again with torch.save, which does not compress.")
            }
            byteCount += entry.byteCount
        }
    }
}
