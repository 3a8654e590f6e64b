import Checkpoints

/// Why a profile cannot be read.
public struct ProfileError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// A value of a profile.json with its place, for messages.
struct JSONReader {
    let path: String
    let place: String
    let value: JSON
    /// That writes such files.
    var command = "analyze"

    /// The member, or nil where it is absent or null.
    func member(_ key: String) -> JSONReader? {
        guard let value = value[key], !value.isNull else { return nil }
        return JSONReader(
            path: path, place: place.isEmpty ? key : "\(place).\(key)", value: value, command: command)
    }

    func required(_ key: String) throws(ProfileError) -> JSONReader {
        guard let member = member(key) else { throw wrong("a member '\(key)'", found: "none") }
        return member
    }

    func elements() throws(ProfileError) -> Elements {
        guard let array = value.array else { throw wrong("an array", found: value.kind) }
        return Elements(array: self, values: array)
    }

    /// The elements of an array, each with its place when it is asked for: a file may have very many.
    struct Elements: RandomAccessCollection {
        fileprivate let array: JSONReader
        fileprivate let values: [JSON]

        var startIndex: Int { 0 }
        var endIndex: Int { values.count }

        subscript(index: Int) -> JSONReader {
            JSONReader(
                path: array.path, place: "\(array.place)[\(index)]", value: values[index], command: array.command)
        }
    }

    func string() throws(ProfileError) -> String {
        guard let string = value.string else { throw wrong("a string", found: value.kind) }
        return string
    }

    /// A number of things, 0 or more.
    func count() throws(ProfileError) -> Int {
        guard let integer = value.integer, integer >= 0, integer < 1 << 53 else {
            throw wrong("an integer from 0", found: value.kind)
        }
        return integer
    }

    func number() throws(ProfileError) -> Double {
        guard let number = value.number else { throw wrong("a number", found: value.kind) }
        return number
    }

    func numbers() throws(ProfileError) -> [Double] {
        try elements().map { element throws(ProfileError) in try element.number() }
    }

    func counts() throws(ProfileError) -> [Int] {
        try elements().map { element throws(ProfileError) in try element.count() }
    }

    func wrong(_ expected: String, found: String) -> ProfileError {
        ProfileError(
            description: "\(path): \(place.isEmpty ? "the whole file" : place) should be \(expected), and is \(found); "
                + "write it again with 'straightedge \(command)'")
    }
}
