import Checkpoints
import TestSupport
import Testing

/// Matrices in NumPy and safetensors files: those that are read give the bits that were written, the others are refused
/// by name.
@Suite struct StoredMatrixTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A NumPy file of this header, and elements of zeros.
    private func array(
        _ header: String, version: [UInt8] = [1, 0], length: Int? = nil, byteCount: Int = 48
    ) -> [UInt8] {
        let length = length ?? header.utf8.count
        let lengthBytes = (0..<(version[0] == 1 ? 2 : 4)).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
        return magic + version + lengthBytes + Array(header.utf8) + [UInt8](repeating: 0, count: byteCount)
    }

    private func header(
        _ type: String = "'<f4'", order: String = "False", shape: String = "(3, 4)", end: String = "          \n"
    ) -> String {
        "{'descr': \(type), 'fortran_order': \(order), 'shape': \(shape), }\(end)"
    }

    private func open(_ bytes: [UInt8], _ name: String = "words.npy") throws -> StoredMatrix {
        try StoredMatrix(folder.write(bytes, to: name))
    }

    private func expectRefusal(
        _ bytes: [UInt8], _ parts: String..., name: String = "words.npy", location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) { try open(bytes, name) }
        let message = error?.description ?? ""
        for part in parts + [name] {
            #expect(message.contains(part), "\(message)", sourceLocation: location)
        }
    }

    // MARK: What is read

    @Test func fixturesHaveTheElementsThatNumPyWrote() throws {
        let expected = try #require(try Fixtures.expected()["arrays"]?.object)
        var count = 0
        for (name, want) in expected.members where name != "fingerprint" {
            let matrix = try StoredMatrix(Fixtures.path("arrays/\(name)"))
            #expect([matrix.rowCount, matrix.columnCount] == want["shape"]?.array?.compactMap(\.integer))
            #expect(matrix.elementType.rawValue == want["type"]?.string)
            #expect(matrix.isColumnMajor == name.contains("-F-"))
            for blockRowCount in [1, 2, 5] {
                // Pages that were given back are read again.
                matrix.release(rows: 0..<5)
                let blocks = stride(from: 0, to: 5, by: blockRowCount).map { begin in
                    let rows = begin..<min(begin + blockRowCount, 5)
                    matrix.prefetch(rows: rows)
                    return matrix.bytes(ofRows: rows)
                }
                let digest = SHA256.hexadecimal(SHA256.digest(of: Array(blocks.joined())))
                #expect(digest == want["sha256"]?.string, "\(name) in blocks of \(blockRowCount)")
            }
            count += 1
        }
        #expect(count == 16)
    }

    @Test func headersAreReadHoweverTheyAreSpaced() throws {
        for text in [
            "{'descr':'<f4','fortran_order':False,'shape':(3,4)}",
            "{\"shape\": (3, 4,), \"descr\": \"<f4\", \"fortran_order\": True}\n",
            " { 'fortran_order' : False ,\t'descr' : '<f4' , 'shape' : ( 3 , 4 ) , } \n",
        ] {
            let matrix = try open(array(text))
            #expect([matrix.rowCount, matrix.columnCount] == [3, 4])
            #expect(matrix.byteCount(throughRow: 3) ?? matrix.file.byteCount == matrix.file.byteCount)
        }
    }

    @Test func aRowOrAColumnHasNoOrder() throws {
        for shape in ["(1, 12)", "(12, 1)"] {
            #expect(try !open(array(header(order: "True", shape: shape))).isColumnMajor)
        }
    }

    @Test func theOnlyMatrixNeedsNoName() throws {
        let path = Fixtures.path("arrays/one.safetensors")
        #expect(try StoredMatrix(path).name == "words")
        #expect(try StoredMatrix(path, name: "words").rowCount == 5)
        let error = #expect(throws: CheckpointError.self) { try StoredMatrix(path, name: "word") }
        #expect(error == .tensorChoice(path: path, asked: "word", names: ["words"]))
        let vector = #expect(throws: CheckpointError.self) { try StoredMatrix(path, name: "lengths") }
        #expect(vector == .unsupportedElementType(path: path, name: "lengths", type: "I32"))
    }

    @Test func amongSeveralMatricesANameIsDemanded() throws {
        let path = Fixtures.path("arrays/two.safetensors")
        let error = #expect(throws: CheckpointError.self) { try StoredMatrix(path) }
        #expect(error?.description.contains("2 tensors in it can be read as a matrix; name one: \"b\", \"a\".") == true)
        #expect(try StoredMatrix(path, name: "a").elementType == .bfloat16)
        #expect(throws: CheckpointError.self) { try StoredMatrix(path, name: "c") }
    }

    @Test func theArrayOfANumPyFileHasNoName() {
        let error = #expect(throws: CheckpointError.self) {
            try StoredMatrix(Fixtures.path("arrays/f4-C-little.npy"), name: "words")
        }
        #expect(error?.description.contains("Leave the tensor name \"words\" away") == true)
    }

    @Test func fingerprintsAreThoseOfTheirDefinition() throws {
        let path = Fixtures.path("arrays/f8-C-little.npy")
        let want = try #require(try Fixtures.expected()["arrays"]?["fingerprint"]?.string)
        var fingerprint = FileFingerprint(try MappedFile(path))
        fingerprint.advance(to: 100)
        #expect(fingerprint.finish() == want)
    }

    /// Pieces of 8 MiB: the same whether they are hashed at once or as the file is read.
    @Test func fingerprintsDoNotDependOnSteps() throws {
        let bytes = (0..<(17 << 20) + 3).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 11) }
        let file = try MappedFile(folder.write(bytes, to: "large.npy"))
        let pieces = [0..<8 << 20, 8 << 20..<16 << 20, 16 << 20..<bytes.count]
        let joined = pieces.flatMap { SHA256.digest(of: Array(bytes[$0])) }
        let want = "sha256:" + SHA256.hexadecimal(SHA256.digest(of: joined))
        for steps in [[], [1], [8 << 20], [100, 9 << 20, 9 << 20, 16 << 20], [1 << 40]] {
            var fingerprint = FileFingerprint(file)
            for step in steps { fingerprint.advance(to: step) }
            #expect(fingerprint.finish() == want)
        }
    }

    // MARK: What is refused

    @Test func headersThatAreNoDictionaryAreRefused() {
        expectRefusal(array(""), "expected a dictionary", "at byte 10")
        expectRefusal(array("[]"), "expected a dictionary")
        expectRefusal(array("{"), "expected a key, in quotes")
        expectRefusal(array("{'descr'"), "a colon after \"descr\"")
        expectRefusal(array("{'descr: '<f4'}"), "a colon")
        expectRefusal(array("{'descr"), "no closing quote")
        expectRefusal(array("{'de\\x73cr': '<f4'}"), "without escapes")
        expectRefusal(array("{'\u{7}': 1}"), "printable ASCII")
        expectRefusal(array(header(end: "x")), "followed by more than white space")
        expectRefusal(array(header(end: "{}")), "followed by more than white space")
        expectRefusal(array("{'descr': '<f4' 'shape': (1, 2)}"), "a comma or the end of the dictionary")
    }

    @Test func keysThatAreMissingRepeatedOrUnknownAreRefused() {
        expectRefusal(array("{'descr': '<f4', 'fortran_order': False}"), "no key \"shape\"")
        expectRefusal(array("{'descr': '<f4', 'shape': (3, 4)}"), "no key \"fortran_order\"")
        expectRefusal(array("{'fortran_order': False, 'shape': (3, 4)}"), "no key \"descr\"")
        expectRefusal(array("{'shape': (3, 4), 'shape': (3, 4)}"), "\"shape\" is repeated")
        expectRefusal(array("{'version': 1}"), "\"version\" is not known")
    }

    @Test func typesThatAreNotReadAreRefused() {
        for type in ["<i4", "|u1", "|b1", "<c8", "|O", "<f16", "=f4", "f4", "<U3", "|V4", "<V4", "<V1", "", ">V2"] {
            expectRefusal(array(header("'\(type)'")), "\"\(type)\"", "astype(numpy.float32)")
        }
        expectRefusal(array(header("'|V2'")), "two bytes of unknown meaning", "ml_dtypes.bfloat16")
        expectRefusal(array(header("[('a', '<f4')]")), "structures of several fields")
        expectRefusal(array(header("7")), "expected an element type, in quotes")
    }

    @Test func ordersThatAreNoBooleansAreRefused() {
        for order in ["false", "0", "'False'", "None", ""] {
            expectRefusal(array(header(order: order)), "expected True or False")
        }
    }

    @Test func shapesThatAreNoneAreRefused() {
        expectRefusal(array(header(shape: "[3, 4]")), "a shape in parentheses")
        expectRefusal(array(header(shape: "3")), "a shape in parentheses")
        expectRefusal(array(header(shape: "(3 4)")), "expected a comma")
        expectRefusal(array(header(shape: "(-3, 4)")), "expected a length of the shape")
        expectRefusal(array(header(shape: "(3.0, 4)")), "expected a comma")
        expectRefusal(array(header(shape: "(0x3, 4)")), "expected a comma")
        expectRefusal(array(header(shape: "(3L, 4L)")), "expected a comma")
        expectRefusal(array(header(shape: "(12)")), "expected a comma in a shape of one dimension")
        expectRefusal(array(header(shape: "(((3, 4)")), "expected a length of the shape")
        expectRefusal(array(header(shape: "(99999999999999999999, 1)")), "does not fit 64 bits")
        expectRefusal(array(header(shape: "(9223372036854775808, 1)")), "does not fit 64 bits")
        expectRefusal(
            array(header(shape: "(" + String(repeating: "1, ", count: 65) + ")")), "more than 64 dimensions")
    }

    @Test func shapesOfMoreThanTheFileHoldsAreRefused() {
        expectRefusal(array(header(shape: "(4294967296, 4294967296)")), "more elements than can be counted")
        expectRefusal(array(header(shape: "(4611686018427387904, 2)")), "more elements than can be counted")
        expectRefusal(array(header(shape: "(2305843009213693952, 1)")), "more elements than can be counted")
        expectRefusal(array(header(shape: "(1000000000, 1000000000)")), "takes 4000000000000000000 bytes", "48 follow")
        expectRefusal(array(header(shape: "(3, 5)")), "takes 60 bytes of F32", "48 follow")
        expectRefusal(array(header("'<f8'")), "takes 96 bytes of F64")
        expectRefusal(array(header(shape: "(3, 3)")), "12 bytes follow the array", "a file of its own")
        expectRefusal(array(header("'<f2'")), "24 bytes follow the array")
    }

    @Test func arraysThatAreNoMatricesAreRefused() {
        expectRefusal(array(header(shape: "(12,)")), "[12]; expected two dimensions")
        expectRefusal(array(header(shape: "(2, 3, 2)")), "[2, 3, 2]; expected two dimensions")
        expectRefusal(array(header(shape: "()"), byteCount: 4), "[]; expected two dimensions")
        expectRefusal(array(header(shape: "(0, 4)"), byteCount: 0), "no element")
        expectRefusal(array(header(shape: "(4, 0)"), byteCount: 0), "no element")
    }

    @Test func lengthsAndVersionsThatCannotBeAreRefused() {
        expectRefusal(array(header(), length: 60_000), "the file ends within the header")
        expectRefusal(array(header(), version: [2, 0], length: 60_000), "the file ends within the header")
        expectRefusal(array(header(), version: [2, 0], length: 1 << 31), "the header takes 2147483648 bytes")
        expectRefusal(array(header(), version: [3, 0], length: (1 << 32) - 1), "expected at most 65536")
        expectRefusal(array(header(), length: 5), "no closing quote")
        expectRefusal(array(header(), version: [4, 0]), "version 4.0")
        expectRefusal(array(header(), version: [0, 0]), "version 0.0")
        expectRefusal(array(header(), version: [1, 1]), "version 1.1")
    }

    @Test func filesOfOtherKindsAreRefused() throws {
        expectRefusal(Array("PK\u{3}\u{4}and so on".utf8), "a ZIP archive", "numpy.save")
        expectRefusal(Array("PK\u{3}\u{4}and so on".utf8), "a ZIP archive", name: "words.npz")
        expectRefusal(Array("1.5 2.5\n".utf8), "a text file", name: "words.txt")
        expectRefusal(Array("version https://git-lfs.github.com".utf8), "a Git LFS pointer")
        expectRefusal([0x93, 0x4E, 0x00], "binary data that begins with 93 4e")
        expectRefusal([UInt8](repeating: 0xFF, count: 20), "the length of the header", name: "words.safetensors")
        #expect(throws: CheckpointError.isFolder(path: folder.path)) { try StoredMatrix(folder.path) }
        #expect(throws: CheckpointError.missing(path: "/no/words.npy")) { try StoredMatrix("/no/words.npy") }
    }

    @Test func everyTruncationIsRefused() throws {
        for name in ["f4-F-big.npy", "version-3.npy"] {
            let bytes = try Fixtures.bytes("arrays/\(name)")
            for length in 0..<bytes.count {
                #expect(throws: CheckpointError.self, "\(length) bytes") { try open(Array(bytes.prefix(length))) }
            }
        }
    }

    @Test func mutatedFilesAreReadOrRefused() throws {
        var random = SplitMix(state: 5)
        let original = try Fixtures.bytes("arrays/f2-F-big.npy")
        var readCount = 0
        for _ in 0..<3_000 {
            do {
                let matrix = try open(original.mutated(by: &random))
                _ = matrix.bytes(ofRows: 0..<matrix.rowCount)
                readCount += 1
            } catch is CheckpointError {
                // Refused, which is as good as read.
            }
        }
        #expect(readCount > 0)
    }
}
