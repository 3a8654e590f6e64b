/// Reads the pickle of a PyTorch archive, and no more of the format than a state dict needs.
///
/// A pickle is a program for a stack machine. This machine knows values, containers, and the few names of
/// `TorchGlobal`, which it understands and does not call: nothing is ever executed. Everything else is refused.
@safe
struct PickleReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    /// Where the current instruction stands.
    private var place = 0
    private var pickle = Pickle()
    private var stack: [PickleValue] = []
    /// Heights of the stack.
    private var marks: [Int] = []
    private var memo: [PickleValue] = []

    /// PyTorch's largest models have some 30 MB.
    static let byteCountLimit = 256 << 20
    /// Picklers put at most 1,000 members on the stack before they store them; tuples have few elements.
    private static let stackLimit = 1 << 16
    /// No tensor of PyTorch has more dimensions.
    static let dimensionLimit = 64

    /// - Parameter bytes: The pickle, valid while this reader lives.
    init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }

    mutating func read() throws(PickleError) -> Pickle {
        guard unsafe bytes.count <= Self.byteCountLimit else {
            throw malformed("it is longer than \(Self.byteCountLimit) bytes")
        }
        try readProtocol()
        while let opcode = try next() {
            try execute(opcode)
            guard stack.count + marks.count <= Self.stackLimit else {
                throw malformed("more than \(Self.stackLimit) values are on the stack")
            }
        }
        pickle.root = try pop()
        guard stack.isEmpty, marks.isEmpty else { throw malformed("it ends with values left on the stack") }
        guard unsafe offset == bytes.count else { throw malformed("it ends before its record does") }
        return pickle
    }

    private mutating func readProtocol() throws(PickleError) {
        guard try byte() == PickleOpcode.protocolVersion.rawValue else {
            throw malformed("it does not begin with the version of its protocol")
        }
        let version = try byte()
        guard (2...5).contains(version) else { throw malformed("its protocol is \(version); expected 2 to 5") }
    }

    /// The next instruction; nil at the end of the program.
    private mutating func next() throws(PickleError) -> PickleOpcode? {
        place = offset
        let code = try byte()
        guard let opcode = PickleOpcode(rawValue: code), opcode != .protocolVersion else {
            throw refused("the instruction \(PickleOpcode.name(of: code))")
        }
        return opcode == .stop ? nil : opcode
    }

    private mutating func execute(_ opcode: PickleOpcode) throws(PickleError) {
        switch opcode {
        case .mark: marks.append(stack.count)
        case .frame:
            let count = try unsigned(8)
            guard unsafe count <= bytes.count - offset else { throw malformed("a frame reaches beyond the end") }
        case .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3: try makeTuple(opcode)
        case .emptyList, .append, .appends: try makeList(opcode)
        case .emptyDictionary, .setItem, .setItems: try makeDictionary(opcode)
        case .binaryGet, .longBinaryGet, .binaryPut, .longBinaryPut, .memoize: try remember(opcode)
        case .global, .stackGlobal: try pushGlobal(opcode)
        case .reduce: try reduce()
        case .build: try build()
        case .binaryPersistentID: try makeStorage()
        default: stack.append(try literal(opcode))
        }
    }

    // MARK: Errors

    private func malformed(_ problem: String) -> PickleError {
        PickleError(byteOffset: place, reason: .malformed(problem))
    }

    private func refused(_ what: String) -> PickleError { PickleError(byteOffset: place, reason: .refused(what)) }
}

// MARK: - Bytes

extension PickleReader {
    private mutating func byte() throws(PickleError) -> UInt8 {
        guard unsafe offset < bytes.count else { throw malformed("it ends before the instruction to stop") }
        defer { offset += 1 }
        return unsafe bytes[offset]
    }

    private mutating func take(_ count: Int) throws(PickleError) -> Range<Int> {
        guard unsafe count <= bytes.count - offset else {
            throw malformed("\(count) bytes are announced, which reach beyond the end")
        }
        defer { offset += count }
        return offset..<offset + count
    }

    /// A little-endian number that counts something.
    private mutating func unsigned(_ byteCount: Int) throws(PickleError) -> Int {
        let range = try take(byteCount)
        let value = unsafe bytes[range].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let value = Int(exactly: value) else { throw malformed("\(value) is announced") }
        return value
    }

    /// Two's complement, little-endian; nil for what `Int` does not hold.
    private mutating func signed(_ byteCount: Int) throws(PickleError) -> Int? {
        let range = try take(byteCount)
        guard byteCount <= 8 else { return nil }
        let isNegative = unsafe bytes[range].last ?? 0 >= 0x80
        let value = unsafe bytes[range].reversed().reduce(isNegative ? UInt64.max : 0) { $0 << 8 | UInt64($1) }
        return Int(truncatingIfNeeded: value)
    }

    private mutating func text(_ byteCount: Int) throws(PickleError) -> String {
        let range = try take(byteCount)
        return try text(range)
    }

    private func text(_ range: Range<Int>) throws(PickleError) -> String {
        let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[range]).bindMemory(to: UInt8.self)
        guard let text = unsafe String(validating: part, as: UTF8.self) else {
            throw malformed("a string is not valid UTF-8")
        }
        return text
    }

    /// The text up to the end of the line.
    private mutating func line() throws(PickleError) -> String {
        let start = offset
        while try byte() != UInt8(ascii: "\n") {}
        return try text(start..<offset - 1)
    }
}

// MARK: - Values

extension PickleReader {
    private mutating func literal(_ opcode: PickleOpcode) throws(PickleError) -> PickleValue {
        switch opcode {
        case .binaryInteger: return try signed(4).map(PickleValue.integer) ?? .other
        case .binaryInteger1: return .integer(try unsigned(1))
        case .binaryInteger2: return .integer(try unsigned(2))
        case .long1: return try signed(unsigned(1)).map(PickleValue.integer) ?? .other
        case .long4: return try signed(unsigned(4)).map(PickleValue.integer) ?? .other
        case .binaryFloat: _ = try take(8)
        case .binaryUnicode: return string(try text(unsigned(4)))
        case .shortBinaryUnicode: return string(try text(unsigned(1)))
        case .binaryUnicode8: return string(try text(unsigned(8)))
        case .binaryBytes: _ = try take(unsigned(4))
        case .shortBinaryBytes: _ = try take(unsigned(1))
        case .binaryBytes8: _ = try take(unsigned(8))
        default: break  // None, True and False
        }
        return .other
    }

    private mutating func string(_ text: String) -> PickleValue {
        pickle.strings.append(text)
        return .string(pickle.strings.count - 1)
    }

    private mutating func pop() throws(PickleError) -> PickleValue {
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw malformed("the stack is empty") }
        return value
    }

    /// Where the values above the last mark begin.
    private mutating func popMark() throws(PickleError) -> Int {
        guard let mark = marks.popLast() else { throw malformed("there is no mark on the stack") }
        return mark
    }

    private mutating func makeTuple(_ opcode: PickleOpcode) throws(PickleError) {
        let start: Int
        switch opcode {
        case .emptyTuple: start = stack.count
        case .tuple: start = try popMark()
        default:
            let count = 1 + Int(opcode.rawValue - PickleOpcode.tuple1.rawValue)
            start = stack.count - count
            guard start >= marks.last ?? 0 else { throw malformed("the stack is empty") }
        }
        let tuple = PickleTuple(start: UInt32(pickle.elements.count), count: UInt32(stack.count - start))
        pickle.elements += stack[start...]
        stack.removeSubrange(start...)
        stack.append(.tuple(tuple))
    }

    /// Elements of lists are not kept.
    private mutating func makeList(_ opcode: PickleOpcode) throws(PickleError) {
        switch opcode {
        case .emptyList: return stack.append(.list)
        case .append: _ = try pop()
        default: stack.removeSubrange(try popMark()...)
        }
        guard stack.count > marks.last ?? 0, case .list? = stack.last else {
            throw malformed("something is appended to what is no list")
        }
    }

    private mutating func makeDictionary(_ opcode: PickleOpcode) throws(PickleError) {
        if opcode == .emptyDictionary { return pushDictionary() }
        let start = opcode == .setItems ? try popMark() : stack.count - 2
        guard start > marks.last ?? 0, (stack.count - start).isMultiple(of: 2),
            case .dictionary(let index) = stack[start - 1]
        else { throw malformed("members are set in what is no dictionary") }
        for place in stride(from: start, to: stack.count, by: 2) {
            if case .string(let key) = stack[place] {
                pickle.dictionaries[index].members.append((key, stack[place + 1]))
            } else {
                pickle.dictionaries[index].hasOtherKeys = true
            }
        }
        stack.removeSubrange(start...)
    }

    private mutating func pushDictionary() {
        pickle.dictionaries.append(Pickle.Dictionary())
        stack.append(.dictionary(pickle.dictionaries.count - 1))
    }

    /// Picklers number what they remember one after the other.
    private mutating func remember(_ opcode: PickleOpcode) throws(PickleError) {
        switch opcode {
        case .binaryGet, .longBinaryGet:
            let index = try unsigned(opcode == .binaryGet ? 1 : 4)
            guard index < memo.count else { throw malformed("entry \(index) of the memo is not there") }
            return stack.append(memo[index])
        case .binaryPut, .longBinaryPut:
            let index = try unsigned(opcode == .binaryPut ? 1 : 4)
            guard index == memo.count else { throw malformed("entry \(index) of the memo is out of its order") }
        default: break
        }
        guard stack.count > marks.last ?? 0, let value = stack.last else { throw malformed("the stack is empty") }
        memo.append(value)
    }
}

// MARK: - Names, and what stands for calling them

extension PickleReader {
    private mutating func pushGlobal(_ opcode: PickleOpcode) throws(PickleError) {
        let module: String
        let name: String
        if opcode == .global {
            module = try line()
            name = try line()
        } else {
            guard case .string(let second) = try pop(), case .string(let first) = try pop() else {
                throw malformed("a name is not made of strings")
            }
            module = pickle.strings[first]
            name = pickle.strings[second]
        }
        guard let global = TorchGlobal(module: module, name: name) else { throw refused("\(module).\(name)".legible) }
        stack.append(.global(global))
    }

    private mutating func reduce() throws(PickleError) {
        guard case .tuple(let tuple) = try pop(), case .global(let global) = try pop() else {
            throw refused("a call of what is not a name")
        }
        let arguments = pickle.elements(of: tuple)
        switch global {
        case .orderedDictionary where arguments.isEmpty: pushDictionary()
        case .rebuildTensor, .rebuildTypedTensor:
            guard isTensor(arguments, isTyped: global == .rebuildTypedTensor) else {
                throw malformed("a tensor is rebuilt of other arguments than (storage, offset, size, stride, …)")
            }
            stack.append(.tensor(tuple))
        case .rebuildParameter:
            guard arguments.count == 3, case .tensor? = arguments.first else {
                throw malformed("a parameter is rebuilt of other arguments than (tensor, requires_grad, hooks)")
            }
            stack.append(arguments[arguments.startIndex])
        case .size:
            guard arguments.count == 1, case .tuple? = arguments.first else {
                throw malformed("torch.Size is made of other arguments than a tuple")
            }
            stack.append(arguments[arguments.startIndex])
        case .device: stack.append(.other)
        default: throw refused("a call of \(describe(global))")
        }
    }

    /// (storage, offset, size, stride, requires_grad, hooks), and then the element type of a typed one, and metadata.
    private func isTensor(_ arguments: ArraySlice<PickleValue>, isTyped: Bool) -> Bool {
        let first = arguments.startIndex
        let count = isTyped ? 7 : 6
        guard arguments.count == count || arguments.count == count + 1, case .storage = arguments[first],
            case .integer = arguments[first + 1], case .tuple(let size) = arguments[first + 2],
            case .tuple(let strides) = arguments[first + 3], size.count == strides.count,
            size.count <= Self.dimensionLimit, isOfIntegers(size), isOfIntegers(strides)
        else { return false }
        guard isTyped else { return true }
        if case .global(.elementType) = arguments[first + 6] { return true }
        return false
    }

    private func isOfIntegers(_ tuple: PickleTuple) -> Bool {
        pickle.elements(of: tuple).allSatisfy { if case .integer = $0 { true } else { false } }
    }

    /// Attributes of a dictionary, which a state dict has and nothing needs.
    private mutating func build() throws(PickleError) {
        _ = try pop()
        guard stack.count > marks.last ?? 0, case .dictionary? = stack.last else {
            throw refused("the state of an object that is no dictionary")
        }
    }

    /// The storage that a persistent identifier names.
    private mutating func makeStorage() throws(PickleError) {
        guard case .tuple(let tuple) = try pop(), isStorage(pickle.elements(of: tuple)) else {
            throw malformed("a persistent identifier is not (\"storage\", type, key, location, count)")
        }
        stack.append(.storage(tuple))
    }

    private func isStorage(_ elements: ArraySlice<PickleValue>) -> Bool {
        let first = elements.startIndex
        guard elements.count == 5, case .string(let kind) = elements[first], pickle.strings[kind] == "storage",
            case .string = elements[first + 2], case .string = elements[first + 3],
            case .integer = elements[first + 4]
        else { return false }
        switch elements[first + 1] {
        case .global(.storage), .global(.untypedStorage): return true
        default: return false
        }
    }

    private func describe(_ global: TorchGlobal) -> String {
        switch global {
        case .orderedDictionary: "collections.OrderedDict with arguments"
        case .storage(let type): "torch.\(type.storageName ?? type.name)"
        case .elementType(let type): "torch.\(type.name)"
        default: "torch.storage.UntypedStorage"
        }
    }
}
