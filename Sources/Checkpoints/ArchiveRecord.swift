import CZlib
import Dispatch
import Synchronization

/// A record of an archive: its bytes are checked, and unpacked where they are deflated, when they are first used.
final class ArchiveRecord: Sendable {
    let file: MappedFile
    let entry: ZipEntry
    private let hasChecksum: Bool
    private let content = Mutex<Content?>(nil)

    init(_ file: MappedFile, _ entry: ZipEntry, hasChecksum: Bool) {
        self.file = file
        self.entry = entry
        self.hasChecksum = hasChecksum
    }

    var name: String { entry.name }
    var byteCount: Int { entry.byteCount }

    /// Where a record's bytes are, once they are known to be whole.
    enum Content: Sendable {
        /// In the file, from this byte on.
        case mapped(byteOffset: Int)
        case unpacked(HeapBytes)
    }

    /// - Throws: `malformed` where the bytes are not those that were written, `outOfMemory`.
    func checked() throws(CheckpointError) -> Content {
        try content.withLock { (content) throws(CheckpointError) in
            if let content { return content }
            let new = try read()
            content = new
            return new
        }
    }

    /// Gives the checked bytes to `body`.
    func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        let content = try checked()
        return try withExtendedLifetime((self, content)) { () throws(CheckpointError) in
            try unsafe body(bytes(of: content))
        }
    }

    private func bytes(of content: Content) -> UnsafeRawBufferPointer {
        switch content {
        case .mapped: unsafe UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
        case .unpacked(let heap): unsafe UnsafeRawBufferPointer(heap.bytes)
        }
    }

    private func read() throws(CheckpointError) -> Content {
        let content = entry.isDeflated ? Content.unpacked(try unpack()) : .mapped(byteOffset: entry.dataOffset)
        if hasChecksum, unsafe Self.checksum(of: bytes(of: content)) != entry.checksum {
            throw malformed("the record \(name.quoted) does not have the checksum that was written with it")
        }
        return content
    }

    private func malformed(_ problem: String) -> CheckpointError {
        .malformed(path: file.path, byteOffset: entry.dataOffset, problem: problem)
    }
}

// MARK: - zlib

extension ArchiveRecord {
    /// Bytes that are given to zlib at a time: its counts have 32 bits.
    private static let pieceByteCount = 1 << 30
    /// The window of a ZIP archive's records, which have no header of zlib's: negative.
    private static let windowBits: Int32 = -15

    private func unpack() throws(CheckpointError) -> HeapBytes {
        let heap = try HeapBytes(byteCount: byteCount, path: file.path)
        let source = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
        guard unsafe Self.inflate(source, into: heap.bytes) else {
            throw malformed("the compressed record \(name.quoted) is not \(byteCount) bytes, deflated")
        }
        return heap
    }

    /// Whether `source` is a deflated stream, all of it, that fills `target`.
    private static func inflate(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        var stream = unsafe z_stream()
        guard unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return false }
        defer { unsafe inflateEnd(&stream) }
        var (read, written) = (0, 0)
        while true {
            let input = min(source.count - read, pieceByteCount)
            let output = min(target.count - written, pieceByteCount)
            unsafe stream.next_in = source.baseAddress.map { unsafe ($0 + read).assumingMemoryBound(to: Bytef.self) }
            unsafe stream.next_out = target.baseAddress.map {
                unsafe ($0 + written).assumingMemoryBound(to: Bytef.self)
            }
            unsafe (stream.avail_in, stream.avail_out) = (UInt32(input), UInt32(output))
            let status = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
            let consumed = unsafe input - Int(stream.avail_in)
            let produced = unsafe output - Int(stream.avail_out)
            read += consumed
            written += produced
            if status == Z_STREAM_END { return read == source.count && written == target.count }
            guard status == Z_OK, consumed + produced > 0 else { return false }
        }
    }

    /// Bytes whose checksum one core takes at a time.
    private static let checksumPieceByteCount = 8 << 20

    /// CRC-32, the pieces on all cores.
    private static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        nonisolated(unsafe) let bytes = unsafe bytes
        let starts = unsafe Array(stride(from: 0, to: bytes.count, by: checksumPieceByteCount))
        let checksums = Mutex([UInt32](repeating: 0, count: starts.count))
        DispatchQueue.concurrentPerform(iterations: starts.count) { index in
            let end = unsafe min(starts[index] + checksumPieceByteCount, bytes.count)
            let piece = unsafe bytes[starts[index]..<end]
            let part = unsafe UnsafeRawBufferPointer(rebasing: piece)
            let value = unsafe crc32_z(0, part.baseAddress?.assumingMemoryBound(to: Bytef.self), part.count)
            checksums.withLock { $0[index] = UInt32(truncatingIfNeeded: value) }
        }
        return zip(starts, checksums.withLock { $0 }).reduce(0) { sum, piece in
            let count = unsafe min(checksumPieceByteCount, bytes.count - piece.0)
            return UInt32(truncatingIfNeeded: crc32_combine(uLong(sum), uLong(piece.1), count))
        }
    }
}
