import Checkpoints

/// A JSON text before it is written: leaves and keys are raw bytes, so that they need be no JSON.
indirect enum JSONTree {
    case leaf([UInt8])
    case array([JSONTree])
    /// Keys as they stand in the text, quotes included.
    case object([(key: [UInt8], value: JSONTree)])

    init(_ json: JSON) {
        if let elements = json.array {
            self = .array(elements.map { JSONTree($0) })
        } else if let object = json.object {
            self = .object(object.members.map { (Self.string($0.key), JSONTree($0.value)) })
        } else {
            self = .leaf(Array(json.serialized(indented: false).utf8))
        }
    }

    init(_ text: String) { self = .leaf(Array(text.utf8)) }

    /// A string as it stands in a text.
    static func string(_ text: String) -> [UInt8] { Array(JSON.string(text).serialized(indented: false).utf8) }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .leaf(let text): bytes += text
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += member.key
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}

// MARK: - Places

extension JSONTree {
    private var children: [JSONTree] {
        switch self {
        case .leaf: []
        case .array(let elements): elements
        case .object(let members): members.map(\.value)
        }
    }

    /// Values in this one, itself included.
    var nodeCount: Int { children.reduce(1) { $0 + $1.nodeCount } }

    /// Calls `body` with value `index`, counted from the root on; in a container before its content.
    mutating func change(_ index: Int, _ body: (inout JSONTree) -> Void) {
        guard index > 0 else { return body(&self) }
        var rest = index - 1
        for (place, child) in children.enumerated() {
            let count = child.nodeCount
            guard rest >= count else {
                var changed = child
                changed.change(rest, body)
                replace(place, changed)
                return
            }
            rest -= count
        }
    }

    private mutating func replace(_ place: Int, _ child: JSONTree) {
        switch self {
        case .leaf: break
        case .array(var elements):
            elements[place] = child
            self = .array(elements)
        case .object(var members):
            members[place].value = child
            self = .object(members)
        }
    }

    /// The member of an object; setting adds it where it is absent.
    subscript(key: String) -> JSONTree? {
        get {
            guard case .object(let members) = self else { return nil }
            let text = Self.string(key)
            return members.first { $0.key == text }?.value
        }
        set {
            guard case .object(var members) = self else { return }
            let text = Self.string(key)
            let place = members.firstIndex { $0.key == text }
            switch (place, newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil): members.remove(at: place)
            case (nil, let value?): members.append((text, value))
            case (nil, nil): break
            }
            self = .object(members)
        }
    }
}
