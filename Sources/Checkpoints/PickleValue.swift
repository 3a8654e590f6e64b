/// A value of a pickle, as far as a state dict needs it.
///
/// Values refer to each other by index, never by reference: a structure of any depth, or one that contains itself, is
/// flat here. Sixteen bytes each, so that no pickle takes much more memory than its own size.
enum PickleValue: Sendable {
    /// None, a boolean, a number with a fraction, bytes: what is allowed and not looked at.
    case other
    case integer(Int)
    /// An index of `Pickle.strings`.
    case string(Int)
    case tuple(PickleTuple)
    /// Its elements are not kept: no tensor of a state dict is in a list.
    case list
    /// An index of `Pickle.dictionaries`.
    case dictionary(Int)
    case global(TorchGlobal)
    /// The tuple that names a storage: ("storage", type, key, location, element count).
    case storage(PickleTuple)
    /// The arguments that a tensor is rebuilt of: (storage, offset, size, stride, …).
    case tensor(PickleTuple)
}

/// Where the elements of a tuple stand among those of all tuples.
struct PickleTuple: Hashable, Sendable {
    let start: UInt32
    let count: UInt32

    var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// A pickle that was read: its root, and what the values refer to.
struct Pickle: Sendable {
    struct Dictionary: Sendable {
        /// Members whose keys are strings, by the index of the key.
        var members: [(key: Int, value: PickleValue)] = []
        /// Whether there are members with other keys, which are not kept.
        var hasOtherKeys = false
    }

    var strings: [String] = []
    /// The elements of all tuples.
    var elements: [PickleValue] = []
    var dictionaries: [Dictionary] = []
    var root = PickleValue.other

    func elements(of tuple: PickleTuple) -> ArraySlice<PickleValue> { elements[tuple.range] }
}

/// Why a pickle is not read.
struct PickleError: Error, Equatable {
    enum Reason: Equatable {
        /// The pickle contradicts its format; in words.
        case malformed(String)
        /// The pickle is one, and has something that no state dict needs: its name, or what is done with it.
        case refused(String)
    }

    /// From the start of the pickle.
    let byteOffset: Int
    let reason: Reason
}
