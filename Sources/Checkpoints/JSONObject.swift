/// The members of a JSON object in the order they were written, found by the exact UTF-8 bytes of their keys.
///
/// Swift's `String ==`, and so a `Dictionary` keyed by `String`, is canonical equivalence: it would merge vocabulary
/// entries that differ only in normalization. That is why this is not Foundation's decoder.
public struct JSONObject: Sendable {
    public typealias Member = (key: String, value: JSON)

    public private(set) var members: [Member] = []
    /// Where each key stands in `members`; empty while the object is small.
    private var indices: [ExactString: Int] = [:]

    /// Up to this many members a scan is quicker than a table.
    private static let scanLimit = 8

    public init() {}

    /// An object of these members; where a key is repeated its last value counts.
    public init(_ members: some Sequence<(String, JSON)>) {
        for (key, value) in members { self[key] = value }
    }

    public var count: Int { members.count }

    public var keys: [String] { members.map(\.key) }

    /// The member's value; setting appends a new key at the end, and nil removes the member (which takes time
    /// proportional to the object).
    public subscript(key: String) -> JSON? {
        get { index(of: ExactString(key)).map { members[$0].value } }
        set {
            switch (index(of: ExactString(key)), newValue) {
            case (let index?, let value?): members[index].value = value
            case (nil, let value?): _ = append(key, value)
            case (let index?, nil):
                members.remove(at: index)
                indices = [:]
                indexMembers()
            case (nil, nil): break
            }
        }
    }

    /// Appends a member unless its key is already there; says whether it did.
    mutating func append(_ key: String, _ value: JSON) -> Bool {
        let next = members.count
        if indices.isEmpty {
            guard index(of: ExactString(key)) == nil else { return false }
        } else {
            // updateValue hashes once; a look-up and an insertion would hash twice.
            if let index = indices.updateValue(next, forKey: ExactString(key)) {
                indices[ExactString(key)] = index
                return false
            }
        }
        members.append((key, value))
        if indices.isEmpty { indexMembers() }
        return true
    }

    private func index(of key: ExactString) -> Int? {
        indices.isEmpty ? members.firstIndex { ExactString($0.key) == key } : indices[key]
    }

    private mutating func indexMembers() {
        guard members.count > Self.scanLimit else { return }
        for (index, member) in members.enumerated() { indices[ExactString(member.key)] = index }
    }
}

extension JSONObject: Equatable {
    /// The same members, in any order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}
