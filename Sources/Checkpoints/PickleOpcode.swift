/// The instructions of Python's pickles that `torch.save` writes, by the names of Python's `pickletools`.
///
/// The format: Lib/pickletools.py of CPython
enum PickleOpcode: UInt8 {
    case mark = 0x28  // (
    case stop = 0x2E  // .
    case protocolVersion = 0x80
    case frame = 0x95

    case none = 0x4E  // N
    case newTrue = 0x88
    case newFalse = 0x89
    case binaryInteger = 0x4A  // J
    case binaryInteger1 = 0x4B  // K
    case binaryInteger2 = 0x4D  // M
    case long1 = 0x8A
    case long4 = 0x8B
    case binaryFloat = 0x47  // G
    case binaryUnicode = 0x58  // X
    case shortBinaryUnicode = 0x8C
    case binaryUnicode8 = 0x8D
    case binaryBytes = 0x42  // B
    case shortBinaryBytes = 0x43  // C
    case binaryBytes8 = 0x8E

    case emptyTuple = 0x29  // )
    case tuple = 0x74  // t
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case emptyList = 0x5D  // ]
    case append = 0x61  // a
    case appends = 0x65  // e
    case emptyDictionary = 0x7D  // }
    case setItem = 0x73  // s
    case setItems = 0x75  // u

    case binaryGet = 0x68  // h
    case longBinaryGet = 0x6A  // j
    case binaryPut = 0x71  // q
    case longBinaryPut = 0x72  // r
    case memoize = 0x94

    case global = 0x63  // c
    case stackGlobal = 0x93
    case reduce = 0x52  // R
    case build = 0x62  // b
    case binaryPersistentID = 0x51  // Q

    /// The name of an instruction that is not among these, for messages.
    static func name(of code: UInt8) -> String {
        if let name = otherNames[code] { return name }
        return "0x" + (code < 0x10 ? "0" : "") + String(code, radix: 16)
    }

    private static let otherNames: [UInt8: String] = [
        0x30: "POP", 0x31: "POP_MARK", 0x32: "DUP", 0x46: "FLOAT", 0x49: "INT", 0x4C: "LONG", 0x50: "PERSID",
        0x53: "STRING", 0x54: "BINSTRING", 0x55: "SHORT_BINSTRING", 0x56: "UNICODE", 0x64: "DICT", 0x67: "GET",
        0x69: "INST", 0x6C: "LIST", 0x6F: "OBJ", 0x70: "PUT", 0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2",
        0x84: "EXT4", 0x8F: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET", 0x92: "NEWOBJ_EX", 0x96: "BYTEARRAY8",
        0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
    ]
}
