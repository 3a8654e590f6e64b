/// The names of Python that a state dict may have. Each stands for what is understood of it; nothing is ever imported
/// or called, and every other name is refused.
enum TorchGlobal: Equatable, Sendable {
    case orderedDictionary
    /// A tensor of a storage whose elements have a type.
    case rebuildTensor
    /// A tensor of a storage of bytes, with its element type.
    case rebuildTypedTensor
    case rebuildParameter
    case size
    case device
    case storage(TorchElementType)
    case untypedStorage
    case elementType(TorchElementType)

    /// Understands `module.name`; nil for any other name.
    init?(module: String, name: String) {
        guard let known = Self.known[ExactString("\(module).\(name)")] else { return nil }
        self = known
    }

    private static let known: [ExactString: TorchGlobal] = {
        var known: [ExactString: TorchGlobal] = [
            ExactString("collections.OrderedDict"): .orderedDictionary,
            ExactString("torch._utils._rebuild_tensor_v2"): .rebuildTensor,
            ExactString("torch._utils._rebuild_tensor_v3"): .rebuildTypedTensor,
            ExactString("torch._utils._rebuild_parameter"): .rebuildParameter,
            ExactString("torch.Size"): .size, ExactString("torch.device"): .device,
            ExactString("torch.storage.UntypedStorage"): .untypedStorage,
        ]
        for type in TorchElementType.allCases {
            known[ExactString("torch.\(type.name)")] = .elementType(type)
            if let storageName = type.storageName { known[ExactString("torch.\(storageName)")] = .storage(type) }
        }
        return known
    }()
}
