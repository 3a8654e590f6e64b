import Dispatch
import Synchronization

/// The fingerprint of a file, taken piece by piece as the file is read.
///
/// "sha256:" and 64 hexadecimal digits: the SHA-256 of the concatenated SHA-256 digests of the consecutive pieces of
/// 8 MiB, the last of which may be shorter. The pieces hash each on its own, so that all cores can share the work.
public struct FileFingerprint {
    private let file: MappedFile
    private var digests: [[UInt8]] = []

    static let pieceByteCount = 8 << 20

    public init(_ file: MappedFile) {
        self.file = file
    }

    private var pieceCount: Int { (file.byteCount + Self.pieceByteCount - 1) / Self.pieceByteCount }

    /// Hashes the whole pieces among the first `byteCount` bytes that are not hashed yet, and gives their pages back.
    public mutating func advance(to byteCount: Int) {
        hash(through: min(byteCount, file.byteCount) / Self.pieceByteCount)
    }

    /// Hashes what is left, and returns the fingerprint.
    public mutating func finish() -> String {
        hash(through: pieceCount)
        return Self.name(of: digests)
    }

    private mutating func hash(through end: Int) {
        guard end > digests.count else { return }
        let pieces = Self.pieces(of: file)[digests.count..<end]
        digests += Self.digests(of: Array(pieces), releases: true)
    }

    /// A range of bytes of a file.
    typealias Piece = (file: MappedFile, range: Range<Int>)

    static func pieces(of file: MappedFile) -> [Piece] {
        stride(from: 0, to: file.byteCount, by: pieceByteCount).map { start in
            (file, start..<min(start + pieceByteCount, file.byteCount))
        }
    }

    /// The digests of pieces, in their order.
    ///
    /// - Parameter releases: Whether their pages are given back.
    static func digests(of pieces: [Piece], releases: Bool) -> [[UInt8]] {
        @Sendable func digest(_ piece: Piece) -> [UInt8] {
            let digest = unsafe SHA256.digest(of: UnsafeRawBufferPointer(rebasing: piece.file.bytes[piece.range]))
            if releases { piece.file.release(piece.range) }
            return digest
        }
        // So few bytes are hashed before another thread has begun.
        if pieces.reduce(0, { $0 + $1.range.count }) < pieceByteCount { return pieces.map(digest) }
        let digests = Mutex([[UInt8]](repeating: [], count: pieces.count))
        DispatchQueue.concurrentPerform(iterations: pieces.count) { index in
            let result = digest(pieces[index])
            digests.withLock { $0[index] = result }
        }
        return digests.withLock { $0 }
    }

    static func name(of digests: [[UInt8]]) -> String {
        "sha256:" + SHA256.hexadecimal(SHA256.digest(of: Array(digests.joined())))
    }
}
