import Tensors

/// ggml's tensor types by their numbers (`enum ggml_type`): their names, and the sizes of their blocks, so that also
/// the ranges of tensors that are not read can be checked.
struct GGUFTensorType {
    let name: String
    /// nil for a type that this engine does not read.
    let elementType: ElementType?
    private let block: (elementCount: Int, byteCount: Int)?

    init(number: UInt32) {
        if let elementType = Self.readable[number] {
            name = elementType.rawValue
            self.elementType = elementType
            block = (elementType.blockElementCount, elementType.blockByteCount)
        } else if let known = Self.unreadable[number] {
            name = known.name
            elementType = nil
            block = (known.elementCount, known.byteCount)
        } else {
            name = "number \(number)"
            elementType = nil
            block = nil
        }
    }

    /// The number of the type of this name; nil for one that is not known.
    static func number(named name: String) -> UInt32? { numbers[name] }

    private static let numbers: [String: UInt32] = {
        let names = readable.mapValues(\.rawValue).merging(unreadable.mapValues(\.name)) { name, _ in name }
        return Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })
    }()

    /// Elements that are stored together in a row; 1 where the type is unknown.
    var blockElementCount: Int { block?.elementCount ?? 1 }

    /// What `elementCount` elements take, whole blocks; nil where the type is unknown.
    /// `overflow` where the size does not fit `Int`.
    func byteCount(of elementCount: Int) -> (value: Int, overflow: Bool)? {
        guard let block else { return nil }
        let (value, overflow) = (elementCount / block.elementCount).multipliedReportingOverflow(by: block.byteCount)
        return (value, overflow)
    }

    private static let readable: [UInt32: ElementType] = [
        0: .float32, 1: .float16, 2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0, 10: .q2_k, 11: .q3_k,
        12: .q4_k, 13: .q5_k, 14: .q6_k, 15: .q8_k, 20: .iq4_nl, 28: .float64, 30: .bfloat16,
    ]

    private static let unreadable: [UInt32: (name: String, elementCount: Int, byteCount: Int)] = [
        9: ("Q8_1", 32, 40), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
        24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 29: ("IQ1_M", 256, 56),
        34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
        41: ("Q1_0", 128, 18),
    ]
}
