/// How the elements of a tensor are stored in memory or in a checkpoint.
///
/// Plain types store one element at a time. Block types (GGUF) store `blockElementCount` consecutive elements of a
/// row together with their scale; the layouts are those of ggml's `block_q4_0` and its siblings. The 256 elements of a
/// super-block (the K types) stand in groups of 16 or 32, each with a small integer scale of its own.
// swift-format-ignore: AlwaysUseLowerCamelCase
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    /// 4-bit, symmetric: a float16 scale d and 16 bytes of nibbles; x = d·(q - 8).
    case q4_0 = "Q4_0"
    /// 4-bit with a minimum: float16 d and m and 16 bytes of nibbles; x = d·q + m.
    case q4_1 = "Q4_1"
    /// 5-bit, symmetric: float16 d, 4 bytes of high bits, 16 bytes of nibbles; x = d·(q - 16).
    case q5_0 = "Q5_0"
    /// 5-bit with a minimum: float16 d and m, 4 bytes of high bits, 16 bytes of nibbles; x = d·q + m.
    case q5_1 = "Q5_1"
    /// 8-bit: a float16 scale d and 32 signed bytes; x = d·q.
    case q8_0 = "Q8_0"
    /// 4-bit, of a table of 16 unevenly spaced integers t: a float16 scale d and 16 bytes of nibbles; x = d·t[q].
    case iq4_nl = "IQ4_NL"
    /// 2-bit, 4-bit scales s and minima m of groups of 16, float16 d and e; x = d·s·q - e·m.
    case q2_k = "Q2_K"
    /// 3-bit, symmetric, 6-bit scales s of groups of 16, a float16 d; x = d·(s - 32)·(q - 4).
    case q3_k = "Q3_K"
    /// 4-bit, 6-bit scales s and minima m of groups of 32, float16 d and e; x = d·s·q - e·m.
    case q4_k = "Q4_K"
    /// 5-bit, 6-bit scales s and minima m of groups of 32, float16 d and e; x = d·s·q - e·m.
    case q5_k = "Q5_K"
    /// 6-bit, symmetric, signed 8-bit scales s of groups of 16, a float16 d; x = d·s·(q - 32).
    case q6_k = "Q6_K"
    /// 8-bit: a float32 scale d, 256 signed bytes, and 16 sums of them, which decoding does not need; x = d·q.
    case q8_k = "Q8_K"

    /// Elements that are stored together; 1 for the plain types.
    public var blockElementCount: Int {
        switch self {
        case .float64, .float32, .float16, .bfloat16, .int32: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl: 32
        case .q2_k, .q3_k, .q4_k, .q5_k, .q6_k, .q8_k: 256
        }
    }

    /// Bytes of one block (one element for the plain types).
    public var blockByteCount: Int {
        switch self {
        case .float64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .q4_0, .iq4_nl: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2_k: 84
        case .q3_k: 110
        case .q4_k: 144
        case .q5_k: 176
        case .q6_k: 210
        case .q8_k: 292
        }
    }

    /// Bytes that `count` elements take, or nil where `count` is negative, not a whole number of blocks, or too large.
    public func byteCount(of count: Int) -> Int? {
        guard count >= 0, count.isMultiple(of: blockElementCount) else { return nil }
        let (bytes, overflow) = (count / blockElementCount).multipliedReportingOverflow(by: blockByteCount)
        return overflow ? nil : bytes
    }
}
