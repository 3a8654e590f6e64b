/// The tensors of a pickle by their names: the state dict, which is the whole, or a member beside other members.
struct StateDictionary {
    struct Member {
        let name: String
        /// The arguments that the tensor is rebuilt of.
        let tensor: PickleTuple
    }

    let members: [Member]

    /// Names that programs of training give the model's state dict among others.
    private static let usualKeys = ["state_dict", "model_state_dict", "model"].map(ExactString.init)
    /// Dictionaries inside each other that are searched.
    private static let depthLimit = 4

    /// - Parameter path: The file, for messages.
    /// - Throws: `stateDictionaryChoice` where the pickle has no state dict, or several.
    init(of pickle: Pickle, path: String) throws(CheckpointError) {
        guard case .dictionary(let root) = pickle.root else { throw .stateDictionaryChoice(path: path, keys: nil) }
        guard let found = Self.find(pickle, root, depth: 1) else {
            let keys = pickle.dictionaries[root].members.map { pickle.strings[$0.key] }
            throw .stateDictionaryChoice(path: path, keys: keys)
        }
        members = pickle.dictionaries[found].members.compactMap { key, value in
            if case .tensor(let tensor) = value { Member(name: pickle.strings[key], tensor: tensor) } else { nil }
        }
    }

    /// The one state dict among this dictionary and its members.
    private static func find(_ pickle: Pickle, _ index: Int, depth: Int) -> Int? {
        if isStateDictionary(pickle, index) { return index }
        let inner = pickle.dictionaries[index].members.compactMap { key, value -> (key: ExactString, index: Int)? in
            if case .dictionary(let index) = value { (ExactString(pickle.strings[key]), index) } else { nil }
        }
        let candidates = inner.filter { isStateDictionary(pickle, $0.index) }
        let usual = candidates.filter { usualKeys.contains($0.key) }
        if usual.count == 1 { return usual[0].index }
        if candidates.count == 1 { return candidates[0].index }
        guard candidates.isEmpty else { return nil }
        let deeper = inner.filter { usualKeys.contains($0.key) }
        if depth < depthLimit, deeper.count == 1 { return find(pickle, deeper[0].index, depth: depth + 1) }
        return hasTensors(pickle, index) ? index : nil
    }

    /// Whether a dictionary has tensors, and plain values at most beside them.
    private static func isStateDictionary(_ pickle: Pickle, _ index: Int) -> Bool {
        let dictionary = pickle.dictionaries[index]
        return hasTensors(pickle, index) && !dictionary.hasOtherKeys
            && dictionary.members.allSatisfy { member in
                switch member.value {
                case .tuple, .list, .dictionary, .storage: false
                default: true
                }
            }
    }

    private static func hasTensors(_ pickle: Pickle, _ index: Int) -> Bool {
        pickle.dictionaries[index].members.contains { if case .tensor = $0.value { true } else { false } }
    }
}
