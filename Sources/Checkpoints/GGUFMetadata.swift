/// The key-value pairs of a GGUF file, in file order. Keys are unique.
///
/// Each accessor comes twice: one throws when the key is absent, the other (`IfPresent`) gives nil. Both throw
/// `metadataWrong`, which names the key, when the value is of another kind.
public struct GGUFMetadata: Sendable {
    /// The file, for messages.
    public let path: String
    public private(set) var keys: [String] = []
    private var values: [ExactString: GGUFValue] = [:]

    init(path: String) { self.path = path }

    public subscript(key: String) -> GGUFValue? { values[ExactString(key)] }

    /// Adds a pair unless the key is taken; says whether it did.
    mutating func append(_ key: String, _ value: GGUFValue) -> Bool {
        guard values.updateValue(value, forKey: ExactString(key)) == nil else { return false }
        keys.append(key)
        return true
    }
}

// MARK: - Values that have to be there

extension GGUFMetadata {
    public func integer(_ key: String) throws(CheckpointError) -> Int {
        try required(key, "an integer", integerIfPresent(key))
    }

    public func number(_ key: String) throws(CheckpointError) -> Double {
        try required(key, "a number", numberIfPresent(key))
    }

    public func bool(_ key: String) throws(CheckpointError) -> Bool {
        try required(key, "a boolean", boolIfPresent(key))
    }

    public func string(_ key: String) throws(CheckpointError) -> String {
        try required(key, "a string", stringIfPresent(key))
    }

    public func integers(_ key: String) throws(CheckpointError) -> [Int] {
        try required(key, "an array of integers", integersIfPresent(key))
    }

    public func numbers(_ key: String) throws(CheckpointError) -> [Double] {
        try required(key, "an array of numbers", numbersIfPresent(key))
    }

    public func strings(_ key: String) throws(CheckpointError) -> GGUFStrings {
        try required(key, "an array of strings", stringsIfPresent(key))
    }

    private func required<T>(_ key: String, _ expected: String, _ value: T?) throws(CheckpointError) -> T {
        guard let value else { throw .metadataMissing(path: path, key: key, expected: expected) }
        return value
    }
}

// MARK: - Values that may be absent

extension GGUFMetadata {
    public func integerIfPresent(_ key: String) throws(CheckpointError) -> Int? {
        try present(key, "an integer that fits 64 bits") { value in
            switch value {
            case .unsigned(let value): Int(exactly: value)
            case .signed(let value): Int(value)
            default: nil
            }
        }
    }

    /// Integers are numbers too.
    public func numberIfPresent(_ key: String) throws(CheckpointError) -> Double? {
        try present(key, "a number") { value in
            switch value {
            case .number(let value): value
            case .unsigned(let value): Double(value)
            case .signed(let value): Double(value)
            default: nil
            }
        }
    }

    public func boolIfPresent(_ key: String) throws(CheckpointError) -> Bool? {
        try present(key, "a boolean") { value in if case .bool(let value) = value { value } else { nil } }
    }

    /// The string, which has to be valid UTF-8.
    public func stringIfPresent(_ key: String) throws(CheckpointError) -> String? {
        try present(key, "a UTF-8 string") { value in
            if case .string(let bytes) = value { String(validating: bytes, as: UTF8.self) } else { nil }
        }
    }

    public func integersIfPresent(_ key: String) throws(CheckpointError) -> [Int]? {
        try present(key, "an array of integers") { value in
            if case .array(let array) = value { array.integers } else { nil }
        }
    }

    /// Integers are numbers too.
    public func numbersIfPresent(_ key: String) throws(CheckpointError) -> [Double]? {
        try present(key, "an array of numbers") { value in
            if case .array(let array) = value { array.numbers } else { nil }
        }
    }

    public func stringsIfPresent(_ key: String) throws(CheckpointError) -> GGUFStrings? {
        try present(key, "an array of strings") { value in
            if case .array(let array) = value { array.strings } else { nil }
        }
    }

    private func present<T>(
        _ key: String, _ expected: String, _ convert: (GGUFValue) -> T?
    ) throws(CheckpointError) -> T? {
        guard let value = self[key] else { return nil }
        guard let converted = convert(value) else {
            throw .metadataWrong(path: path, key: key, expected: expected, found: value.kind)
        }
        return converted
    }
}
