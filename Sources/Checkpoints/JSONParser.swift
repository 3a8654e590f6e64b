/// A strict RFC 8259 parser over a byte buffer: one pass, no backtracking.
///
/// Safe although it holds a buffer pointer: every read goes through `peek` or a range that a scan has bounded, and
/// the parser does not outlive the call that lends the buffer.
@safe
struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let byteCount: Int
    private let source: String
    private var offset = 0
    private var depth = 0
    /// Unescaped text, kept to be reused from string to string.
    private var scratch: [UInt8] = []

    init(bytes: UnsafeRawBufferPointer, source: String) {
        unsafe self.bytes = bytes.bindMemory(to: UInt8.self)
        byteCount = bytes.count
        self.source = source
    }

    /// The one value of the text, which may be surrounded by white space only.
    mutating func parse() throws(JSONError) -> JSON {
        if peek == 0xEF {
            throw error("a byte order mark or other text before the value; expected UTF-8 without a mark")
        }
        skipSpace()
        let value = try parseValue()
        skipSpace()
        guard peek == nil else { throw unexpected("the end of the text after the value") }
        return value
    }

    private mutating func parseValue() throws(JSONError) -> JSON {
        switch peek {
        case UInt8(ascii: "{"): return try nested { parser throws(JSONError) in try parser.parseObject() }
        case UInt8(ascii: "["): return try nested { parser throws(JSONError) in try parser.parseArray() }
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case let byte? where byte == UInt8(ascii: "-") || Self.digits.contains(byte): return try parseNumber()
        default: throw unexpected("a value")
        }
    }

    private mutating func nested(_ body: (inout JSONParser) throws(JSONError) -> JSON) throws(JSONError) -> JSON {
        guard depth < JSON.depthLimit else { throw error("more than \(JSON.depthLimit) nested arrays and objects") }
        depth += 1
        defer { depth -= 1 }
        offset += 1
        skipSpace()
        return try body(&self)
    }
}

// MARK: - Containers

extension JSONParser {
    /// What follows "[".
    private mutating func parseArray() throws(JSONError) -> JSON {
        var elements: [JSON] = []
        if take("]") { return .array(elements) }
        while true {
            elements.append(try parseValue())
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw unexpected("',' or ']' after an element") }
            skipSpace()
        }
    }

    /// What follows "{".
    private mutating func parseObject() throws(JSONError) -> JSON {
        var object = JSONObject()
        if take("}") { return .object(object) }
        while true {
            let keyOffset = offset
            guard peek == UInt8(ascii: "\"") else { throw unexpected("a key in double quotes") }
            let key = try parseString()
            skipSpace()
            guard take(":") else { throw unexpected("':' after a key") }
            skipSpace()
            guard object.append(key, try parseValue()) else {
                throw error("the key \(key.quoted) is repeated in its object", at: keyOffset)
            }
            skipSpace()
            if take("}") { return .object(object) }
            guard take(",") else { throw unexpected("',' or '}' after a member") }
            skipSpace()
        }
    }
}

// MARK: - Strings

extension JSONParser {
    private mutating func parseString() throws(JSONError) -> String {
        let start = offset
        offset += 1
        scratch.removeAll(keepingCapacity: true)
        var runStart = offset
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                let run = runStart..<offset
                offset += 1
                // The usual string has no escapes and is taken straight from the buffer.
                let text =
                    unsafe scratch.isEmpty
                    ? String(validating: UnsafeBufferPointer(rebasing: bytes[run]), as: UTF8.self)
                    : unescaped(with: run)
                guard let text else { throw error("a string that is not valid UTF-8", at: start) }
                return text
            case UInt8(ascii: "\\"):
                unsafe scratch.append(contentsOf: bytes[runStart..<offset])
                try parseEscape()
                runStart = offset
            case 0..<0x20: throw error("a control character in a string; expected it escaped")
            default: offset += 1
            }
        }
        throw error("a string that does not end; expected a closing '\"'", at: start)
    }

    private mutating func unescaped(with lastRun: Range<Int>) -> String? {
        unsafe scratch.append(contentsOf: bytes[lastRun])
        return String(validating: scratch, as: UTF8.self)
    }

    /// One escape, from its backslash, into `scratch`.
    private mutating func parseEscape() throws(JSONError) {
        let start = offset
        offset += 1
        let escaped = peek
        offset += 1
        switch escaped {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(escaped ?? 0)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"): try parseUnicodeEscape(from: start)
        default: throw error("an unknown escape; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u", at: start)
        }
    }

    /// The digits after "\u", and the second half of a surrogate pair.
    private mutating func parseUnicodeEscape(from start: Int) throws(JSONError) {
        var code = try parseHexadecimal(from: start)
        if (0xD800..<0xDC00).contains(code), take("\\"), take("u") {
            let low = try parseHexadecimal(from: start)
            guard (0xDC00..<0xE000).contains(low) else { throw loneSurrogate(at: start) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw loneSurrogate(at: start) }
        scratch.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private mutating func parseHexadecimal(from start: Int) throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch peek {
            case let byte? where Self.digits.contains(byte):
                digit = byte - UInt8(ascii: "0")
            case let byte? where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte):
                digit = byte - UInt8(ascii: "a") + 10
            case let byte? where (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte):
                digit = byte - UInt8(ascii: "A") + 10
            default: throw error("a \\u escape without four hexadecimal digits", at: start)
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    private func loneSurrogate(at start: Int) -> JSONError {
        error("half of a surrogate pair, which is no character; expected both halves", at: start)
    }
}

// MARK: - Numbers and words

extension JSONParser {
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

    private mutating func parseNumber() throws(JSONError) -> JSON {
        let start = offset
        _ = take("-")
        if !take("0") { try skipDigits() }
        let isInteger = !(peek == UInt8(ascii: ".") || peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E"))
        if take(".") { try skipDigits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try skipDigits()
        }
        let text = unsafe String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<offset]), as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        // An integer too large for Int is a number: tokenizer configurations write 1e30 in full.
        guard let value = Double(text), value.isFinite else {
            throw error("a number too large for a 64-bit floating-point value", at: start)
        }
        return .number(value)
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = offset
        while let byte = peek, Self.digits.contains(byte) { offset += 1 }
        guard offset > start else { throw unexpected("a digit") }
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let start = offset
        let end = start + word.utf8CodeUnitCount
        guard
            end <= byteCount,
            unsafe bytes[start..<end].elementsEqual(
                UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        else { throw unexpected("'\(word)'") }
        offset = end
        return value
    }
}

// MARK: - Bytes

extension JSONParser {
    @inline(__always)
    private var peek: UInt8? { offset < byteCount ? unsafe bytes[offset] : nil }

    /// Moves past `character` if it comes next.
    @inline(__always)
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    @inline(__always)
    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private func unexpected(_ expectation: String) -> JSONError {
        guard let byte = peek else { return error("the text ends here; expected \(expectation)") }
        let isPrintable = byte >= 0x20 && byte < 0x7F
        let found = isPrintable ? "'\(Unicode.Scalar(byte))'" : "the byte 0x\(String(byte, radix: 16))"
        return error("found \(found), expected \(expectation)")
    }

    private func error(_ problem: String, at place: Int? = nil) -> JSONError {
        JSONError(source: source, byteOffset: place ?? min(offset, byteCount), problem: problem)
    }
}
