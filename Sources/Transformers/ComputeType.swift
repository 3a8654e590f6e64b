public import Tensors

/// Element type of the operands of a forward pass's matrix products. Sums are float32, and so is the residual stream.
public enum ComputeType: String, Sendable, Hashable, CaseIterable {
    case f32, bf16, f16

    /// Of weights and of what is multiplied with them.
    public var elementType: ElementType {
        switch self {
        case .f32: .float32
        case .bf16: .bfloat16
        case .f16: .float16
        }
    }

    /// Bytes of one element.
    var byteCount: Int { elementType.blockByteCount }
}
