/// How the elements of a tensor are stored in memory or in a checkpoint.
///
/// Plain types store one element at a time. Block types (GGUF) store `blockElementCount` consecutive elements of a
/// row together with their scale; the layouts are those of ggml's `block_q4_0` and its siblings.
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

    /// Elements that are stored together; 1 for the plain types.
    public var blockElementCount: Int {
        switch self {
        case .float64, .float32, .float16, .bfloat16, .int32: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
        }
    }

    /// Bytes of one block (one element for the plain types).
    public var blockByteCount: Int {
        switch self {
        case .float64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .q4_0: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        }
    }

    /// Bytes that `count` elements take, or nil where `count` is negative, not a whole number of blocks, or too large.
    public func byteCount(of count: Int) -> Int? {
        guard count >= 0, count.isMultiple(of: blockElementCount) else { return nil }
        let (bytes, overflow) = (count / blockElementCount).multipliedReportingOverflow(by: blockByteCount)
        return overflow ? nil : bytes
    }
}
