/// The instructions of a pickle, as Python writes them.
enum PickleBuilder {
    /// A pickle of protocol 2 with this program.
    static func pickle(_ program: [UInt8]...) -> [UInt8] { [0x80, 2] + program.joined() + op(".") }

    static func op(_ code: Unicode.Scalar) -> [UInt8] { [UInt8(ascii: code)] }

    static func text(_ text: String) -> [UInt8] {
        op("X") + ZipBuilder.bytes(UInt32(text.utf8.count)) + Array(text.utf8)
    }

    static func integer(_ value: Int) -> [UInt8] {
        if (0...255).contains(value) { return op("K") + [UInt8(value)] }
        return [0x8A, 8] + ZipBuilder.bytes(Int64(value))
    }

    static func global(_ module: String, _ name: String) -> [UInt8] { op("c") + Array("\(module)\n\(name)\n".utf8) }

    static func tuple(_ elements: [UInt8]...) -> [UInt8] { op("(") + elements.joined() + op("t") }

    static func integers(_ values: [Int]) -> [UInt8] { op("(") + values.flatMap(integer) + op("t") }

    static func dictionary(_ members: [(String, [UInt8])]) -> [UInt8] {
        op("}") + op("(") + members.flatMap { text($0.0) + $0.1 } + op("u")
    }

    static func storage(_ key: String = "0", type: String = "FloatStorage", count: Int) -> [UInt8] {
        tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(count)) + op("Q")
    }

    static func tensor(
        _ storage: [UInt8], offset: Int = 0, shape: [Int], strides: [Int]
    ) -> [UInt8] {
        global("torch._utils", "_rebuild_tensor_v2")
            + tuple(
                storage, integer(offset), integers(shape), integers(strides), [0x89],
                global("collections", "OrderedDict") + op(")") + op("R")) + op("R")
    }
}
