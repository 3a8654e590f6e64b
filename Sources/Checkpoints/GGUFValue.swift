/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable {
    /// Any unsigned integer type.
    case unsigned(UInt64)
    /// Any signed integer type.
    case signed(Int64)
    /// Either floating-point type.
    case number(Double)
    case bool(Bool)
    /// Bytes that need not be UTF-8.
    case string([UInt8])
    case array(GGUFArray)

    /// What kind of value this is, for messages and listings.
    public var kind: String {
        switch self {
        case .unsigned, .signed: "an integer"
        case .number: "a number"
        case .bool: "a boolean"
        case .string: "a string"
        case .array(let array): "an array of \(array.count) \(array.elementType)"
        }
    }
}

/// The types of metadata values, by the numbers of the GGUF format.
public enum GGUFValueType: UInt32, Sendable {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The least bytes that a value takes in the file.
    var leastByteCount: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .string: 8
        case .array: 12
        }
    }
}
