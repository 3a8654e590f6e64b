/// A JSON value (RFC 8259), read exactly: strings keep their UTF-8 bytes, integers stay integers, objects keep the
/// order of their members.
///
/// This is not Foundation's decoder for one reason: Swift's `String ==` is canonical equivalence, so a dictionary
/// keyed by `String` merges vocabulary entries that differ only in normalization ("é" and "e\u{301}"). Here keys are
/// compared by their bytes.
public enum JSON: Sendable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent that fits `Int`.
    case integer(Int)
    /// Any other number, always finite when it was parsed.
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// Containers may stand inside each other this deep; a deeper text is refused rather than risk the stack.
    public static let depthLimit = 512

    /// Reads one JSON text.
    ///
    /// - Parameters:
    ///   - bytes: the whole text, UTF-8 without a byte order mark.
    ///   - source: the file's name, for messages.
    /// - Throws: `JSONError` with the byte offset where the text stops being JSON.
    public static func parse(_ bytes: UnsafeRawBufferPointer, source: String) throws(JSONError) -> JSON {
        var parser = unsafe JSONParser(bytes: bytes, source: source)
        return try parser.parse()
    }

    /// Reads one JSON text; see `parse(_:source:)` for buffers.
    public static func parse(_ bytes: [UInt8], source: String) throws(JSONError) -> JSON {
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(JSONError) in
            try unsafe parse(UnsafeRawBufferPointer(buffer), source: source)
        }
    }

    /// Reads one JSON text; see `parse(_:source:)` for buffers.
    public static func parse(_ text: String, source: String) throws(JSONError) -> JSON {
        try parse(Array(text.utf8), source: source)
    }
}

// MARK: - Looking inside

extension JSON {
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var integer: Int? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The number, also where it was written as an integer.
    public var number: Double? {
        switch self {
        case .number(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var array: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    public var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The member of an object; nil where it is absent or this is not an object. A null member is `.null`.
    public subscript(key: String) -> JSON? { object?[key] }

    /// What kind of value this is, in the words of RFC 8259, for messages.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: Equatable {
    /// Exact: strings by their bytes, objects in any order of members, integers and other numbers apart.
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        default: false
        }
    }
}

// MARK: - Building

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }
}

// MARK: - Errors

/// Where a text stops being JSON.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    /// The file's name, as given to `parse`.
    public let source: String
    /// From the start of the text.
    public let byteOffset: Int
    /// What is wrong there and what was expected.
    public let problem: String

    public var description: String { "\(source): not valid JSON at byte \(byteOffset): \(problem)." }
}
