import Tensors

/// The element types of PyTorch's tensors, by the names that a state dict has for them.
enum TorchElementType: UInt8, CaseIterable, Sendable {
    case float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool, complex64, complex128
    case uint16, uint32, uint64
    case float8E4M3FN, float8E5M2, float8E4M3FNUZ, float8E5M2FNUZ, float8E8M0FNU

    /// As in `torch.float32`.
    var name: String {
        switch self {
        case .float8E4M3FN: "float8_e4m3fn"
        case .float8E5M2: "float8_e5m2"
        case .float8E4M3FNUZ: "float8_e4m3fnuz"
        case .float8E5M2FNUZ: "float8_e5m2fnuz"
        case .float8E8M0FNU: "float8_e8m0fnu"
        default: "\(self)"
        }
    }

    /// As in `torch.FloatStorage`; nil for the types of later PyTorch, whose storages have none.
    var storageName: String? {
        switch self {
        case .float64: "DoubleStorage"
        case .float32: "FloatStorage"
        case .float16: "HalfStorage"
        case .bfloat16: "BFloat16Storage"
        case .int64: "LongStorage"
        case .int32: "IntStorage"
        case .int16: "ShortStorage"
        case .int8: "CharStorage"
        case .uint8: "ByteStorage"
        case .bool: "BoolStorage"
        case .complex64: "ComplexFloatStorage"
        case .complex128: "ComplexDoubleStorage"
        default: nil
        }
    }

    /// As safetensors names the type, so that one model has one description.
    var label: String {
        switch self {
        case .float64: "F64"
        case .float32: "F32"
        case .float16: "F16"
        case .bfloat16: "BF16"
        case .int64: "I64"
        case .int32: "I32"
        case .int16: "I16"
        case .int8: "I8"
        case .uint8: "U8"
        case .uint16: "U16"
        case .uint32: "U32"
        case .uint64: "U64"
        case .bool: "BOOL"
        case .complex64: "C64"
        case .complex128: "C128"
        case .float8E4M3FN: "F8_E4M3"
        case .float8E5M2: "F8_E5M2"
        case .float8E4M3FNUZ: "F8_E4M3FNUZ"
        case .float8E5M2FNUZ: "F8_E5M2FNUZ"
        case .float8E8M0FNU: "F8_E8M0"
        }
    }

    var byteCount: Int {
        switch self {
        case .complex128: 16
        case .float64, .int64, .uint64, .complex64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool, .float8E4M3FN, .float8E5M2, .float8E4M3FNUZ, .float8E5M2FNUZ, .float8E8M0FNU: 1
        }
    }

    /// nil for a type that is not read.
    var elementType: ElementType? {
        switch self {
        case .float64: .float64
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        default: nil
        }
    }
}
