import Dispatch
import Synchronization

extension Checkpoint {
    /// The files hash in pieces of this size, each on its own, so that all cores can share the work.
    private static let pieceByteCount = 8 << 20

    /// A name for the model's exact content: "sha256:" and 64 hexadecimal digits.
    ///
    /// It is the SHA-256 of the concatenated SHA-256 digests of the files' consecutive pieces of 8 MiB; the last piece
    /// of each file may be shorter. The files are the GGUF file, or config.json and then the safetensors files in name
    /// order. Reads every byte.
    public func fingerprint() -> String {
        let pieces = fingerprintedFiles.flatMap { file in
            stride(from: 0, to: file.byteCount, by: Self.pieceByteCount).map { start in
                (file: file, range: start..<min(start + Self.pieceByteCount, file.byteCount))
            }
        }
        let digests = Mutex([[UInt8]](repeating: [], count: pieces.count))
        DispatchQueue.concurrentPerform(iterations: pieces.count) { index in
            let (file, range) = pieces[index]
            let digest = unsafe SHA256.digest(of: UnsafeRawBufferPointer(rebasing: file.bytes[range]))
            digests.withLock { $0[index] = digest }
        }
        let joined = digests.withLock { Array($0.joined()) }
        return "sha256:" + SHA256.hexadecimal(SHA256.digest(of: joined))
    }

    private var fingerprintedFiles: [MappedFile] {
        switch format {
        case .gguf(let gguf): [gguf.file]
        case .huggingFace(let folder): [folder.configFile] + folder.weightFiles
        }
    }
}
