public import Tensors

/// One NumPy file: a header, which is a Python dictionary in text, and the elements of one array.
///
/// Versions 1.0, 2.0 and 3.0; floating-point elements of either byte order, in C or Fortran order. The header is checked
/// against the file when it is opened; the elements are read from the mapped file.
///
/// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
public struct NumPyArrayFile: Sendable {
    public let file: MappedFile
    /// Outermost first; empty for a single number.
    public let shape: [Int]
    public let elementType: ElementType
    /// Whether the most significant byte of each element comes first.
    public let isBigEndian: Bool
    /// Whether the first index varies fastest (Fortran order).
    public let isColumnMajor: Bool
    /// Where the elements start, from the start of the file.
    public let byteOffset: Int

    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    public init(_ path: String) throws(CheckpointError) {
        try self.init(MappedFile(path))
    }

    public init(_ file: MappedFile) throws(CheckpointError) {
        let header = try NumPyHeader(file)
        let (elementType, isBigEndian) = try header.elementType()
        guard let byteCount = TensorDirectory.elementCount(of: header.shape).flatMap(elementType.byteCount) else {
            throw header.malformed("the shape \(header.shape) has more elements than can be counted")
        }
        let available = file.byteCount - header.dataStart
        guard byteCount <= available else {
            throw header.malformed(
                "the shape \(header.shape) takes \(byteCount) bytes of \(elementType.rawValue), and \(available) follow "
                    + "the header")
        }
        guard byteCount == available else {
            throw CheckpointError.unsupportedArray(
                path: file.path,
                problem: "\(available - byteCount) bytes follow the array, perhaps other arrays",
                remedy: "Save each array in a file of its own, with numpy.save.")
        }
        self.file = file
        shape = header.shape
        self.elementType = elementType
        self.isBigEndian = isBigEndian
        isColumnMajor = header.isColumnMajor
        byteOffset = header.dataStart
    }
}

// MARK: - The header

/// What stands before the elements.
private struct NumPyHeader {
    let file: MappedFile
    let typeName: String
    let isColumnMajor: Bool
    let shape: [Int]
    /// Where the elements start, from the start of the file.
    let dataStart: Int

    /// Only structured types, which are not read, need more.
    private static let byteCountLimit = 1 << 16
    /// NumPy makes no array of more.
    private static let dimensionLimit = 64

    init(_ file: MappedFile) throws(CheckpointError) {
        self.file = file
        guard unsafe file.bytes.starts(with: NumPyArrayFile.magic) else { throw FileKind.noMatrix(file) }
        var reader = ByteReader(file, offset: NumPyArrayFile.magic.count)
        let major = try reader.read(UInt8.self, "the version")
        let minor = try reader.read(UInt8.self, "the version")
        guard (1...3).contains(major), minor == 0 else {
            throw .unsupportedArray(
                path: file.path,
                problem: "version \(major).\(minor) of NumPy's format is not read; expected 1.0, 2.0 "
                    + "or 3.0", remedy: "Save the array again with numpy.save.")
        }
        let what = "the length of the header"
        let length = major == 1 ? Int(try reader.read(UInt16.self, what)) : Int(try reader.read(UInt32.self, what))
        guard length <= NumPyHeader.byteCountLimit else {
            throw reader.malformed(
                "the header takes \(length) bytes; expected at most \(NumPyHeader.byteCountLimit)", at: 8)
        }
        let start = try reader.skip(length, "the header")
        dataStart = start + length
        var parser = NumPyHeaderParser(
            bytes: unsafe Array(file.bytes[start..<start + length]), path: file.path, byteOffset: start)
        let members = try parser.parse(dimensionLimit: NumPyHeader.dimensionLimit)
        (typeName, isColumnMajor, shape) = (members.typeName, members.isColumnMajor, members.shape)
    }

    /// The type by NumPy's name of it: the byte order, the kind and the bytes of an element.
    ///
    /// `<V2` is what the package ml_dtypes has for its bfloat16, its only type of two bytes; NumPy itself writes two bytes
    /// of unknown meaning as `|V2`.
    func elementType() throws(CheckpointError) -> (ElementType, isBigEndian: Bool) {
        switch typeName {
        case "<f2": (.float16, false)
        case "<f4": (.float32, false)
        case "<f8": (.float64, false)
        case ">f2": (.float16, true)
        case ">f4": (.float32, true)
        case ">f8": (.float64, true)
        case "<V2": (.bfloat16, false)
        case "|V2":
            throw .unsupportedArray(
                path: file.path, problem: "elements of type \"|V2\" are two bytes of unknown meaning",
                remedy: "If they are bfloat16, save them again as float32: "
                    + "numpy.save(path, array.view(ml_dtypes.bfloat16).astype(numpy.float32)).")
        default:
            throw .unsupportedArray(
                path: file.path,
                problem: "elements of type \(typeName.quoted) are not read; expected floating point of "
                    + "2, 4 or 8 bytes", remedy: "Save the array again: numpy.save(path, array.astype(numpy.float32)).")
        }
    }

    func malformed(_ problem: String) -> CheckpointError {
        .malformed(path: file.path, byteOffset: NumPyArrayFile.magic.count + 2, problem: problem)
    }
}

/// Reads the one kind of Python dictionary that NumPy writes:
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, in any order of its three members.
private struct NumPyHeaderParser {
    let bytes: [UInt8]
    let path: String
    /// Of `bytes` in the file.
    let byteOffset: Int
    private var place = 0

    init(bytes: [UInt8], path: String, byteOffset: Int) {
        self.bytes = bytes
        self.path = path
        self.byteOffset = byteOffset
    }

    mutating func parse(
        dimensionLimit: Int
    ) throws(CheckpointError) -> (typeName: String, isColumnMajor: Bool, shape: [Int]) {
        var typeName: String?
        var isColumnMajor: Bool?
        var shape: [Int]?
        try expect("{", "a dictionary")
        while !skip("}") {
            let start = place
            let key = try string("a key")
            try expect(":", "a colon after \(key.quoted)")
            switch key {
            case "descr" where typeName == nil: typeName = try elementType()
            case "fortran_order" where isColumnMajor == nil: isColumnMajor = try boolean()
            case "shape" where shape == nil: shape = try tuple(limit: dimensionLimit)
            case "descr", "fortran_order", "shape": throw malformed("the key \(key.quoted) is repeated", at: start)
            default:
                throw malformed(
                    "the key \(key.quoted) is not known; expected \"descr\", \"fortran_order\" and \"shape\"", at: start
                )
            }
            if !skip(",") {
                try expect("}", "a comma or the end of the dictionary")
                break
            }
        }
        skipSpace()
        guard place == bytes.count else { throw malformed("the dictionary is followed by more than white space") }
        guard let typeName, let isColumnMajor, let shape else {
            let missing = typeName == nil ? "descr" : isColumnMajor == nil ? "fortran_order" : "shape"
            throw malformed("the dictionary has no key \"\(missing)\"", at: 0)
        }
        return (typeName, isColumnMajor, shape)
    }

    private mutating func elementType() throws(CheckpointError) -> String {
        skipSpace()
        guard place < bytes.count, bytes[place] == UInt8(ascii: "[") else { return try string("an element type") }
        throw .unsupportedArray(
            path: path, problem: "the elements are structures of several fields",
            remedy: "Save one field, as a plain array, with numpy.save.")
    }

    /// A string in single or double quotes, of printable ASCII without escapes.
    private mutating func string(_ what: String) throws(CheckpointError) -> String {
        skipSpace()
        let start = place
        guard place < bytes.count, bytes[place] == UInt8(ascii: "'") || bytes[place] == UInt8(ascii: "\"") else {
            throw malformed("expected \(what), in quotes")
        }
        let quote = bytes[place]
        place += 1
        while place < bytes.count, bytes[place] != quote {
            guard (0x20..<0x7F).contains(bytes[place]), bytes[place] != UInt8(ascii: "\\") else {
                throw malformed("expected printable ASCII without escapes in \(what)")
            }
            place += 1
        }
        guard place < bytes.count else { throw malformed("\(what) has no closing quote", at: start) }
        defer { place += 1 }
        return String(decoding: bytes[start + 1..<place], as: UTF8.self)
    }

    private mutating func boolean() throws(CheckpointError) -> Bool {
        skipSpace()
        for (word, value) in [("True", true), ("False", false)] where bytes[place...].starts(with: Array(word.utf8)) {
            place += word.utf8.count
            return value
        }
        throw malformed("expected True or False")
    }

    private mutating func tuple(limit: Int) throws(CheckpointError) -> [Int] {
        try expect("(", "a shape in parentheses")
        var lengths: [Int] = []
        while !skip(")") {
            guard lengths.count < limit else { throw malformed("the shape has more than \(limit) dimensions") }
            lengths.append(try length())
            if !skip(",") {
                // One number in parentheses is a number, not a tuple.
                guard lengths.count > 1 else { throw malformed("expected a comma in a shape of one dimension") }
                try expect(")", "a comma or the end of the shape")
                break
            }
        }
        return lengths
    }

    private mutating func length() throws(CheckpointError) -> Int {
        skipSpace()
        let start = place
        var value = 0
        while place < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place]) {
            let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = tenfold.addingReportingOverflow(Int(bytes[place] - UInt8(ascii: "0")))
            guard !overflow, !carries else { throw malformed("a length of the shape does not fit 64 bits", at: start) }
            value = sum
            place += 1
        }
        guard place > start else { throw malformed("expected a length of the shape, 0 or more") }
        return value
    }

    private mutating func expect(_ character: Unicode.Scalar, _ what: String) throws(CheckpointError) {
        guard skip(character) else { throw malformed("expected \(what)") }
    }

    /// Moves past white space and this character, and says whether it was there.
    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func skipSpace() {
        while place < bytes.count, bytes[place] == 0x20 || (0x09...0x0D).contains(bytes[place]) { place += 1 }
    }

    private func malformed(_ problem: String, at start: Int? = nil) -> CheckpointError {
        .malformed(path: path, byteOffset: byteOffset + (start ?? place), problem: "the header: \(problem)")
    }
}
