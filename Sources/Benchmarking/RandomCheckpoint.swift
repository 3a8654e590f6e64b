import Checkpoints
import Conformance
import Glibc
import Transformers

/// A checkpoint of one layer with random weights: a GGUF file of bfloat16 without a name, which the ordinary reader
/// opens.
///
/// Weights are uniform with the variance 1/inputs, so that products keep the size of their inputs; norms are ones. The
/// file is of LLaMA's family, and its head is tied.
enum RandomCheckpoint {
    /// Rows of the embedding table. No other part of a measurement depends on the vocabulary.
    static let vocabularySize = 4096

    /// A model of this shape, its one layer in the place of all.
    ///
    /// - Throws: `TransformerError.scratchFile` where there is no room for the file.
    static func model(_ shape: ModelShape, layerCount: Int, seed: UInt64 = 1) throws(TransformerError) -> DecoderModel {
        let file = try NamelessFile()
        try file.write(header(shape))
        var random = SplitMix64(seed: seed)
        for tensor in tensors(shape) {
            if let variance = tensor.variance {
                try writeWeights(tensor.elementCount, variance, to: file, &random)
            } else {
                try file.write([Float](repeating: 1, count: tensor.elementCount))
            }
        }
        let checkpoint: Checkpoint
        do { checkpoint = try Checkpoint.open(file.path) } catch { throw .checkpoint(error) }
        return try DecoderModel(checkpoint).repeatingFirstLayer(count: layerCount)
    }

    /// Elements that are made at a time.
    private static let pieceElementCount = 1 << 20

    private static func writeWeights(
        _ count: Int, _ variance: Double, to file: borrowing NamelessFile, _ random: inout SplitMix64
    ) throws(TransformerError) {
        let scale = Float((3 * variance).squareRoot()) * 0x1p-15
        for begin in stride(from: 0, to: count, by: pieceElementCount) {
            var piece = [UInt16](repeating: 0, count: min(pieceElementCount, count - begin))
            var bits: UInt64 = 0
            for i in piece.indices {
                bits = i.isMultiple(of: 4) ? random.next() : bits >> 16
                let value = scale * Float(Int16(truncatingIfNeeded: bits))
                piece[i] = UInt16(value.bitPattern >> 16)
            }
            try file.write(piece)
        }
    }
}

// MARK: The file

extension RandomCheckpoint {
    private struct Tensor {
        let name: String
        /// Outermost first.
        let shape: [Int]
        /// nil for a norm, of ones.
        let variance: Double?

        var elementCount: Int { shape.reduce(1, *) }
        var byteCount: Int { elementCount * (variance == nil ? 4 : 2) }
    }

    /// Where tensors begin, the format's default.
    private static let alignment = 32

    private static func tensors(_ shape: ModelShape) -> [Tensor] {
        let (width, inner) = (shape.width, shape.feedForwardWidth)
        let queryWidth = shape.heads.queryCount * shape.heads.width
        let keyWidth = shape.heads.keyCount * shape.heads.width
        func matrix(_ name: String, _ rows: Int, _ columns: Int) -> Tensor {
            Tensor(name: "blk.0.\(name).weight", shape: [rows, columns], variance: 1 / Double(columns))
        }
        func norm(_ name: String) -> Tensor { Tensor(name: "\(name).weight", shape: [width], variance: nil) }
        return [
            Tensor(name: "token_embd.weight", shape: [vocabularySize, width], variance: 1), norm("output_norm"),
            norm("blk.0.attn_norm"), norm("blk.0.ffn_norm"), matrix("attn_q", queryWidth, width),
            matrix("attn_k", keyWidth, width), matrix("attn_v", keyWidth, width),
            matrix("attn_output", width, queryWidth), matrix("ffn_gate", inner, width), matrix("ffn_up", inner, width),
            matrix("ffn_down", width, inner),
        ]
    }

    /// Everything before the tensors' data, padded. All sizes of the data are multiples of the alignment.
    private static func header(_ shape: ModelShape) -> [UInt8] {
        let counts = [
            ("embedding_length", shape.width), ("block_count", 1), ("feed_forward_length", shape.feedForwardWidth),
            ("attention.head_count", shape.heads.queryCount), ("attention.head_count_kv", shape.heads.keyCount),
            ("attention.key_length", shape.heads.width), ("attention.value_length", shape.heads.width),
            ("context_length", ShapeProfile.sequenceLength),
        ]
        let tensors = tensors(shape)
        var bytes = Array("GGUF".utf8) + littleEndian(UInt32(3))
        bytes += littleEndian(UInt64(tensors.count)) + littleEndian(UInt64(counts.count + 2))
        bytes += string("general.architecture") + littleEndian(UInt32(8)) + string("llama")
        bytes += string("llama.attention.layer_norm_rms_epsilon") + littleEndian(UInt32(6))
        bytes += littleEndian(Float(1e-5).bitPattern)
        for (key, count) in counts {
            bytes += string("llama.\(key)") + littleEndian(UInt32(4)) + littleEndian(UInt32(count))
        }
        var offset = 0
        for tensor in tensors {
            bytes += string(tensor.name) + littleEndian(UInt32(tensor.shape.count))
            bytes += tensor.shape.reversed().flatMap { littleEndian(UInt64($0)) }
            // The numbers of float32 and bfloat16 in ggml.
            bytes += littleEndian(UInt32(tensor.variance == nil ? 0 : 30)) + littleEndian(UInt64(offset))
            offset += tensor.byteCount
        }
        return bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }

    private static func string(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}

/// A file that is gone when it is closed and no longer mapped, however the process ends.
private struct NamelessFile: ~Copyable {
    private let descriptor: Int32
    private let folder: String

    /// Under which this process can open it.
    var path: String { "/proc/self/fd/\(descriptor)" }

    init() throws(TransformerError) {
        folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
        var template = Array("\(folder)/straightedge-weights-XXXXXX".utf8CString)
        descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { throw NamelessFile.failure(folder, "creating") }
        unsafe unlink(template)
    }

    deinit { close(descriptor) }

    func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(TransformerError) {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        var done = 0
        while done < byteCount {
            let count = unsafe elements.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress.map { unsafe $0 + done }, byteCount - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw NamelessFile.failure(folder, "writing random weights") }
            done += count
        }
    }

    private static func failure(_ folder: String, _ operation: String) -> TransformerError {
        .scratchFile(path: folder, operation: operation, reason: unsafe String(cString: strerror(errno)))
    }
}
