import Checkpoints
import Glibc
import TestSupport
import Testing

@Suite("Hostile archives are refused, and nothing of them is executed")
struct HostileArchiveTests {
    private typealias P = PickleBuilder
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ builder: ZipBuilder) throws -> PyTorchFile {
        try PyTorchFile(folder.write(builder.file(), to: "model.pt"))
    }

    private func expectRefusal(
        _ builder: ZipBuilder, _ parts: String..., location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
            let file = try open(builder)
            for name in file.tensorNames { _ = try file.tensor(name) }
        }
        let message = error?.description ?? ""
        for part in parts + ["model.pt"] {
            #expect(message.contains(part), "\(message)", sourceLocation: location)
        }
        let hasControls = message.unicodeScalars.contains { $0.properties.generalCategory == .control }
        #expect(message.utf8.count < 1_500 && !hasControls, "\(message)", sourceLocation: location)
    }

    private func expectRefusal(pickle: [UInt8], _ part: String, location: SourceLocation = #_sourceLocation) {
        expectRefusal(
            .archive(pickle: pickle, storages: [("0", [UInt8](repeating: 1, count: 24))]), part, location: location)
    }

    /// One tensor of six elements, (2, 3).
    private static let tensor = P.tensor(P.storage(count: 6), shape: [2, 3], strides: [3, 1])
    private static let good = ZipBuilder.archive(
        pickle: P.pickle(P.dictionary([("weight", tensor)])), storages: [("0", [UInt8](1...24))])

    @Test("the builder's archive is read before it is damaged")
    func goodArchive() throws {
        let tensor = try open(Self.good).tensor("weight")
        #expect(tensor.shape == [2, 3])
        #expect(Self.bytes(tensor) == [UInt8](1...24))
    }

    private static func bytes(_ tensor: StoredTensor) -> [UInt8] { unsafe tensor.withBytes { unsafe Array($0) } }

    // MARK: Names and calls

    @Test(
        "names that PyTorch's state dicts do not need are refused by their names",
        arguments: [
            ("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("builtins", "eval"),
            ("builtins", "exec"), ("builtins", "getattr"), ("__builtin__", "eval"), ("builtins", "__import__"),
            ("torch.storage", "_load_from_bytes"), ("torch", "load"), ("torch._utils", "_rebuild_parameter_with_state"),
            ("torch.nn.modules.linear", "Linear"), ("operator", "attrgetter"), ("collections", "OrderedDict.clear"),
            ("torch.serialization", "load"), ("runpy", "_run_code"), ("webbrowser", "open"), ("argparse", "Namespace"),
            ("__main__", "Model"), ("_codecs", "encode"), ("numpy.core.multiarray", "_reconstruct"),
        ])
    func names(module: String, name: String) throws {
        let marker = "\(folder.path)/executed"
        let call = P.tuple(P.text("touch \(marker)")) + P.op("R")
        for (program, place) in [
            (P.global(module, name) + call, "byte 2:"),
            (P.text(module) + P.text(name) + [0x93] + call, "byte"),
            (P.global(module, name), "byte 2:"),
            (P.dictionary([("weight", Self.tensor), ("x", P.global(module, name) + call)]), "byte"),
        ] {
            expectRefusal(pickle: P.pickle(program), "\(module).\(name) is nothing that a state dict needs")
            expectRefusal(pickle: P.pickle(program), place)
        }
        #expect(folder.names() == ["model.pt"])
    }

    private static let objectInstructions: [(program: [UInt8], name: String)] = {
        let size = P.global("torch", "Size")
        var list: [(program: [UInt8], name: String)] = []
        list.append((P.op("(") + P.text("id") + P.op("i") + Array("os\nsystem\n".utf8), "INST"))
        list.append((P.op("(") + size + P.text("id") + P.op("o"), "OBJ"))
        list.append((size + P.op(")") + [0x81], "NEWOBJ"))
        list.append((size + P.op(")") + P.op("}") + [0x92], "NEWOBJ_EX"))
        list.append((P.op("P") + Array("0\n".utf8), "PERSID"))
        list.append((P.op("S") + Array("'a'\n".utf8), "STRING"))
        list.append((P.op("}") + P.op("2"), "DUP"))
        list.append((P.op("}") + P.op("0"), "POP"))
        list.append(([0x82, 1], "EXT1"))
        list.append(([0x83, 1, 0], "EXT2"))
        list.append(([0x84, 1, 0, 0, 0], "EXT4"))
        list.append(([0x97], "NEXT_BUFFER"))
        list.append(([0x80, 2], "0x80"))
        list.append(([0xFF], "0xff"))
        return list
    }()

    @Test("instructions that build objects are refused by their names", arguments: objectInstructions)
    func instructions(program: [UInt8], name: String) {
        expectRefusal(pickle: P.pickle(program), "the instruction \(name) is nothing that a state dict needs")
    }

    @Test("calls and states of what is understood are refused where they are of another kind")
    func calls() {
        let ordered = P.global("collections", "OrderedDict")
        expectRefusal(pickle: P.pickle(ordered + P.tuple(P.op("]")) + P.op("R")), "OrderedDict with arguments")
        expectRefusal(pickle: P.pickle(P.global("torch", "FloatStorage") + P.op(")") + P.op("R")), "torch.FloatStorage")
        expectRefusal(pickle: P.pickle(P.global("torch", "float32") + P.op(")") + P.op("R")), "torch.float32")
        expectRefusal(pickle: P.pickle(P.text("os") + P.op(")") + P.op("R")), "a call of what is not a name")
        expectRefusal(pickle: P.pickle(Self.tensor + P.op("}") + P.op("b")), "the state of an object")
        expectRefusal(pickle: P.pickle(P.global("torch", "Size") + P.op("}") + P.op("b")), "the state of an object")
        expectRefusal(
            pickle: P.pickle(P.global("torch._utils", "_rebuild_tensor_v2") + P.op(")") + P.op("R")), "(storage")
        expectRefusal(
            pickle: P.pickle(P.global("torch._utils", "_rebuild_parameter") + P.op(")") + P.op("R")), "(tensor")
        expectRefusal(pickle: P.pickle(P.global("torch", "Size") + P.op(")") + P.op("R")), "than a tuple")
        expectRefusal(pickle: P.pickle(P.text("0") + P.op("Q")), "persistent identifier")
        expectRefusal(pickle: P.pickle(P.tuple(P.text("module")) + P.op("Q")), "persistent identifier")
    }

    // MARK: Damaged programs

    private static let damagedPrograms: [(pickle: [UInt8], part: String)] = {
        let (dictionary, none) = (P.op("}"), P.op("N"))
        var list: [(pickle: [UInt8], part: String)] = []
        list.append((P.pickle(), "the stack is empty"))
        list.append((P.pickle(P.op("t")), "no mark"))
        list.append((P.pickle([0x85]), "the stack is empty"))
        list.append((P.pickle(P.op("("), [0x85]), "the stack is empty"))
        list.append((P.pickle(dictionary, P.op("(")), "the stack is empty"))
        list.append((P.pickle(dictionary, dictionary), "left on the stack"))
        list.append((P.pickle(P.op("h"), [0]), "entry 0 of the memo is not there"))
        list.append((P.pickle(dictionary, P.op("q"), [1]), "out of its order"))
        list.append((P.pickle(dictionary, P.op("r"), [0, 0, 0, 0x80]), "out of its order"))
        list.append((P.pickle([0x94]), "the stack is empty"))
        list.append((P.pickle(P.op("]"), dictionary, P.op("s")), "no dictionary"))
        list.append((P.pickle(dictionary, P.op("("), none, P.op("u")), "no dictionary"))
        list.append((P.pickle(dictionary, none, P.op("a")), "no list"))
        list.append((P.pickle(P.op("X"), [0xFF, 0xFF, 0xFF, 0xFF]), "beyond the end"))
        list.append((P.pickle([0x8D], [UInt8](repeating: 0xFF, count: 8)), "announced"))
        list.append((P.pickle([0x8C, 2, 0xC3, 0x28]), "not valid UTF-8"))
        list.append((P.pickle([0x95], [9, 0, 0, 0, 0, 0, 0, 0]), "frame"))
        list.append((Array(P.pickle(dictionary).dropLast()), "before the instruction to stop"))
        list.append((P.pickle(dictionary) + [0], "before its record does"))
        list.append(([0x80, 1] + dictionary + P.op("."), "protocol is 1"))
        list.append(([0x80, 6] + dictionary + P.op("."), "protocol is 6"))
        list.append((dictionary + P.op("."), "does not begin"))
        list.append((P.pickle(P.op("c"), Array("os".utf8)), "before the instruction to stop"))
        list.append((P.pickle(none, none, [0x93]), "not made of strings"))
        return list
    }()

    @Test("programs that contradict the format are refused at their byte", arguments: damagedPrograms)
    func programs(pickle: [UInt8], part: String) { expectRefusal(pickle: pickle, part) }

    @Test("structures of any depth, and such as contain themselves, take no stack and no endless time")
    func depth() throws {
        let count = 1_000_000
        let nested = P.op(")") + [UInt8](repeating: 0x85, count: count)
        let file = try open(
            .archive(
                pickle: P.pickle(P.dictionary([("deep", nested), ("weight", Self.tensor)])),
                storages: [("0", [UInt8](repeating: 1, count: 24))]))
        #expect(file.tensorNames == ["weight"])
        let dictionaries = (0..<count / 20).flatMap { _ in P.op("}") + P.text("model") }
        let closing = [UInt8](repeating: UInt8(ascii: "s"), count: count / 20)
        expectRefusal(pickle: P.pickle(dictionaries, P.op("N"), closing), "on the stack")
        let some = (0..<1_000).flatMap { _ in P.op("}") + P.text("model") }
        expectRefusal(
            pickle: P.pickle(some, P.op("N"), [UInt8](repeating: UInt8(ascii: "s"), count: 1_000)), "no state dict")
        // A dictionary that is its own member.
        let cycle = P.op("}") + P.op("q") + [0] + P.text("model") + P.op("h") + [0] + P.op("s")
        expectRefusal(pickle: P.pickle(cycle), "no state dict")
        expectRefusal(pickle: P.pickle([UInt8](repeating: UInt8(ascii: "("), count: count)), "on the stack")
        expectRefusal(pickle: P.pickle([UInt8](repeating: UInt8(ascii: "N"), count: count)), "on the stack")
    }

    @Test("a program that multiplies what it remembers takes time and memory of its own size")
    func multiplication() throws {
        // One tensor with 64 dimensions, rebuilt a hundred thousand times.
        let shape = P.integers([Int](repeating: 1, count: 64))
        let arguments = P.tuple(P.storage(count: 6), P.integer(0), shape, shape, [0x89], P.op("}"))
        let rebuild = P.global("torch._utils", "_rebuild_tensor_v2")
        let remember = P.op("q")
        var program =
            P.op("}") + P.text("a") + rebuild + remember + [0] + arguments + remember + [1] + P.op("R") + P.op("s")
        for index in 0..<100_000 {
            program += P.text("\(index)") + P.op("h") + [0] + P.op("h") + [1] + P.op("R") + P.op("s")
        }
        let before = Self.peakByteCount()
        let file = try open(
            .archive(pickle: P.pickle(program), storages: [("0", [UInt8](repeating: 1, count: 24))]))
        #expect(file.tensorNames.count == 100_001)
        #expect(Self.peakByteCount() - before < 64 * program.count)
    }

    private static func peakByteCount() -> Int {
        var usage = rusage()
        unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
        return usage.ru_maxrss << 10
    }

    // MARK: Tensors and storages

    private func expectTensorRefusal(
        _ tensor: [UInt8], _ part: String, location: SourceLocation = #_sourceLocation
    ) {
        expectRefusal(pickle: P.pickle(P.dictionary([("weight", tensor)])), part, location: location)
    }

    @Test(
        "views beyond their storage are refused",
        arguments: [
            (0, [2, 4], [4, 1]), (1, [2, 3], [3, 1]), (0, [2, 3], [4, 1]), (-1, [2, 3], [3, 1]), (7, [0], [1]),
            (0, [-1], [1]), (0, [2], [-1]), (0, [1 << 32, 1 << 32], [0, 0]), (0, [1 << 62], [0]),
            (0, [2, 2], [1 << 62, 1 << 62]), (0, [3, 2], [.max, 1]), (.max, [1], [1]), (.min, [1], [1]),
        ])
    func views(offset: Int, shape: [Int], strides: [Int]) {
        let tensor = P.tensor(P.storage(count: 6), offset: offset, shape: shape, strides: strides)
        expectTensorRefusal(tensor, "weight")
    }

    @Test("a tensor without elements is empty, whatever its other lengths are")
    func empty() throws {
        let tensor = P.tensor(P.storage(count: 6), shape: [.max, 0, .max], strides: [1, 7, .max])
        let file = try open(
            .archive(
                pickle: P.pickle(P.dictionary([("weight", tensor)])),
                storages: [("0", [UInt8](repeating: 1, count: 24))]))
        #expect(try file.tensor("weight").byteCount == 0)
    }

    @Test("storages that are missing, of another size or type are refused")
    func storages() {
        for count in [5, 7, -6, 1 << 62, .max, .min] {
            expectTensorRefusal(P.tensor(P.storage(count: count), shape: [1], strides: [1]), "are not 24 bytes")
        }
        expectTensorRefusal(P.tensor(P.storage("1", count: 6), shape: [1], strides: [1]), "m/data/1")
        expectTensorRefusal(P.tensor(P.storage("../data.pkl", count: 6), shape: [1], strides: [1]), "is missing")
        expectTensorRefusal(P.tensor(P.storage(type: "Storage", count: 6), shape: [1], strides: [1]), "torch.Storage")
        expectTensorRefusal(P.tensor(P.storage(type: "QInt8Storage", count: 6), shape: [1], strides: [1]), "QInt8")
        expectTensorRefusal(P.tensor(P.storage(count: 6), shape: [1], strides: []), "size, stride")
        let many = [Int](repeating: 1, count: 65)
        expectTensorRefusal(P.tensor(P.storage(count: 6), shape: many, strides: many), "size, stride")
        let twice = P.dictionary([("weight", Self.tensor), ("weight", Self.tensor)])
        expectRefusal(pickle: P.pickle(twice), "\"weight\" is repeated")
    }

    @Test("a view of 64 dimensions beyond its storage is refused in few words")
    func manyDimensions() {
        let shape = [Int](repeating: 1 << 40, count: 64)
        expectTensorRefusal(P.tensor(P.storage(count: 6), shape: shape, strides: shape), "and 56 more")
    }

    // MARK: ZIP

    private func damaged(_ change: (inout ZipBuilder) -> Void) -> ZipBuilder {
        var builder = Self.good
        change(&builder)
        return builder
    }

    @Test("records whose headers and directory differ are refused")
    func differences() {
        expectRefusal(damaged { $0.records[2].localName = "m/data/1" }, "directory differ", "m/data/0")
        expectRefusal(damaged { $0.records[2].localByteCount = 23 }, "directory differ")
        expectRefusal(damaged { $0.records[2].localChecksum = 1 }, "directory differ")
        expectRefusal(damaged { $0.records[2].localFlags = 8 }, "directory differ")
        expectRefusal(damaged { $0.records[2].offset = 1 }, "not where the directory puts it")
        expectRefusal(damaged { $0.records[2].offset = 1 << 31 }, "beyond the end")
        expectRefusal(damaged { $0.records[2].compressedByteCount = 25 }, "stored in 25 bytes")
        expectRefusal(
            damaged {
                $0.records[2].compressedByteCount = 1 << 30
                $0.records[2].byteCount = 1 << 30
            }, "beyond the end")
        expectRefusal(
            damaged {
                $0.records[2].compressedByteCount = 60
                $0.records[2].byteCount = 60
            }, "reaches into the archive's directory")
    }

    @Test("checksums are those of the bytes, where the archive has any")
    func checksums() throws {
        expectRefusal(damaged { $0.records[2].checksum ^= 1 }, "m/data/0", "checksum")
        expectRefusal(damaged { $0.records[0].checksum ^= 1 }, "m/data.pkl", "checksum")
        expectRefusal(damaged { $0.records[2].checksum = 0 }, "m/data/0", "checksum")
        let without = damaged { for index in $0.records.indices { $0.records[index].checksum = 0 } }
        #expect(try open(without).tensor("weight").byteCount == 24)
    }

    @Test("overlapping and repeated records are refused")
    func overlaps() {
        expectRefusal(
            damaged {
                // The bytes of the second record are a record of their own.
                var inner = ZipBuilder(records: [ZipBuilder.Record("m/data/1", [1, 2, 3, 4])])
                inner.records[0].name = "m/data/1"
                let bytes = Array(inner.file().prefix(30 + 8 + 4))
                $0.records[1] = ZipBuilder.Record("m/other", bytes)
                var hidden = inner.records[0]
                let place = $0.records[0].data.count + 30 + "m/data.pkl".utf8.count + 30 + "m/other".utf8.count
                hidden.offset = UInt32(place)
                $0.records.append(hidden)
            }, "overlap")
        expectRefusal(damaged { $0.records.append($0.records[2]) }, "\"m/data/0\" is repeated")
        expectRefusal(
            damaged {
                $0.records.append($0.records[2])
                $0.records[3].offset = UInt32($0.records[0].data.count + $0.records[1].data.count + 2 * 30 + 21)
            }, "overlap")
    }

    @Test("what archives of weights do not have is refused by its name")
    func unsupported() {
        for flags in [1, 1 << 6, 1 << 13] as [UInt16] {
            expectRefusal(damaged { $0.records[2].flags = flags }, "\"m/data/0\" is encrypted", "torch.save")
        }
        expectRefusal(damaged { $0.records[2].flags = 1 << 5 }, "a patch")
        expectRefusal(damaged { $0.records[2].method = 14 }, "method 14")
        expectRefusal(damaged { $0.records[2].disk = 1 }, "another disk")
        expectRefusal(damaged { $0.disk = 1 }, "several disks")
        expectRefusal(damaged { $0.records[0].name = "data.pkl" }, "no FOLDER/data.pkl")
        expectRefusal(damaged { $0.records[1] = ZipBuilder.Record("n/data.pkl", []) }, "more than one")
        expectRefusal(damaged { $0.records[1] = ZipBuilder.Record("m/byteorder", Array("middle".utf8)) }, "byte order")
        expectRefusal(
            damaged { $0.records[1] = ZipBuilder.Record("m/byteorder", [UInt8](repeating: 0x1B, count: 99)) },
            "99 bytes")
    }

    @Test("ends of archives that say what cannot be are refused")
    func ends() throws {
        expectRefusal(damaged { $0.entryCount = 2 }, "more than the 2 entries")
        expectRefusal(damaged { $0.entryCount = 4 }, "counts 4 entries")
        expectRefusal(damaged { $0.entryCount = .max }, "counts 65535 entries")
        expectRefusal(damaged { $0.directoryOffset = 0 }, "not before its end")
        expectRefusal(damaged { $0.directoryByteCount = .max }, "not before its end")
        expectRefusal(damaged { $0.beforeEnd = [0] }, "not before its end")
        expectRefusal(damaged { $0.records[1].name = "" }, "empty or not valid")
        expectRefusal(damaged { $0.records = [] }, "")
        // The 64-bit end, with a place outside the file.
        for place in [UInt64.max, 1 << 40, 0] {
            let locator = ZipBuilder.bytes(UInt32(0x0706_4B50)) + ZipBuilder.bytes(UInt32(0)) + ZipBuilder.bytes(place)
            expectRefusal(damaged { $0.beforeEnd = locator + ZipBuilder.bytes(UInt32(1)) }, "end")
        }
        var commented = Self.good
        commented.comment = Array("a comment".utf8)
        #expect(try open(commented).tensorNames == ["weight"])
    }

    @Test("64-bit sizes are taken where 32 bits do not hold them, and refused where they are cut short")
    func sizes64() throws {
        let extra = ZipBuilder.bytes(UInt16(1)) + ZipBuilder.bytes(UInt16(16))
        let sizes = ZipBuilder.bytes(UInt64(24)) + ZipBuilder.bytes(UInt64(24))
        let wide = damaged {
            $0.records[2].byteCount = .max
            $0.records[2].compressedByteCount = .max
            $0.records[2].extra = extra + sizes
        }
        #expect(try open(wide).tensor("weight").byteCount == 24)
        for cut in [
            [], ZipBuilder.bytes(UInt16(1)) + ZipBuilder.bytes(UInt16(8)) + ZipBuilder.bytes(UInt64(24)), extra,
        ] {
            var builder = wide
            builder.records[2].extra = cut
            expectRefusal(builder, "m/data/0")
        }
        for value in [UInt64.max, 1 << 62, 25] {
            var builder = wide
            builder.records[2].extra = extra + ZipBuilder.bytes(value) + ZipBuilder.bytes(value)
            expectRefusal(builder, "m/data/0")
        }
    }

    @Test("deflated records unpack to what they say, no byte more or less")
    func deflated() throws {
        let deflated = damaged {
            $0.records[2].data = ZipBuilder.deflated([UInt8](1...24))
            $0.records[2].compressedByteCount = UInt32($0.records[2].data.count)
            $0.records[2].method = 8
        }
        #expect(Self.bytes(try open(deflated).tensor("weight")) == [UInt8](1...24))
        let whole = deflated.records[2].data
        let (short, long) = (ZipBuilder.deflated([UInt8](1...23)), ZipBuilder.deflated([UInt8](1...25)))
        for data: [UInt8] in [[], [0xFF], short, long, whole.dropLast(), whole + [0]] {
            var builder = deflated
            builder.records[2].data = data
            builder.records[2].compressedByteCount = UInt32(data.count)
            expectRefusal(builder, "deflated")
        }
        var bomb = deflated
        bomb.records[2].byteCount = 1 << 30
        expectRefusal(bomb, "32 times")
    }
}
