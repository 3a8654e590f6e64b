/// What the directory of a ZIP archive says of one record, once it is known to be so.
struct ZipEntry: Sendable {
    let name: String
    /// Deflated records are unpacked into memory; others stand in the file as they are.
    let isDeflated: Bool
    /// CRC-32 of the unpacked bytes.
    let checksum: UInt32
    let compressedByteCount: Int
    let byteCount: Int
    /// The record's first byte, from the start of the file.
    let dataOffset: Int

    /// The bytes as they stand in the file.
    var range: Range<Int> { dataOffset..<dataOffset + compressedByteCount }
}
