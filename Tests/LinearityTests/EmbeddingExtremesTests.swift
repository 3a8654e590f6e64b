import Checkpoints
import Compute
import Glibc
import Linearity
import Testing

/// Matrices whose numbers are far apart, far from zero, or all the same.
@Suite("Comparisons at the ends of the number range")
struct EmbeddingExtremesTests {
    private static let rowCount = 40

    /// Eighths between -8 and 8 that look drawn.
    private static func eighths(_ seed: Int) -> [Double] {
        (0..<rowCount).map { Double(($0 * $0 * 37 + $0 * seed * 11 + seed * 5) % 128 - 64) / 8 }
    }

    @Test("a column varies although its differences from the first row cancel")
    func cancellingDifferences() throws {
        let signs = (0..<Self.rowCount).map { row in row == 0 || row > 38 ? 0 : row % 2 == 0 ? 1.0 : -1 }
        #expect(signs.reduce(0, +) == 0)
        // Squares that float32 does not hold: to be seen, and formed in float64.
        let columns = [signs.map { $0 * 1e20 }, Self.eighths(1)]
        let twice = columns.map { $0.map { $0 * 2 } }
        let result = try compare(Matrix(columns), Matrix(twice))
        #expect(result.figures.momentPrecision == "float64")
        #expect(abs((result.figures.linearity.value ?? 0) - 1) < 1e-12)
        #expect(result.map?.map.allSatisfy { $0.isFinite } == true)
        // Squares of which float64 loses the sums.
        let error = #expect(throws: LinearityError.self) {
            try compare(Matrix([signs.map { $0 * 1e80 }], .float64), Matrix([Self.eighths(1)], .float64))
        }
        #expect(error?.description.contains("x.npy: column 0") == true)
    }

    @Test("a target beyond what float32 squares hold has a finite map")
    func extremeTarget() throws {
        var column = [Double](repeating: 1e16, count: Self.rowCount)
        column.replaceSubrange(
            3..<6, with: [Double(Float.greatestFiniteMagnitude), -Double(Float.greatestFiniteMagnitude), 0])
        let result = try compare(Matrix([Self.eighths(1)]), Matrix([column]))
        let map = try #require(result.map)
        #expect((map.map + map.bias).allSatisfy { $0.isFinite })
        #expect(map.orthogonal.map { ($0.rotation + $0.offset + [$0.scale]).allSatisfy { $0.isFinite } } == true)
        let linearity = try #require(result.figures.linearity.value)
        #expect((0..<0.5).contains(linearity))
    }

    @Test("an X that is the same large number everywhere explains nothing, and hides nothing of Y")
    func constantInput() throws {
        let constant = [Double](repeating: 1e75, count: Self.rowCount)
        let y = [Self.eighths(1), Self.eighths(2)]
        let result = try compare(Matrix([constant, constant], .float64), Matrix(y, .float64))
        #expect(result.figures.rank.value == 0)
        #expect(result.figures.linearity.value == 0)
        #expect(result.figures.linearityWithoutResidual.value == 0)
    }

    @Test("an offset of X alone costs no digits of Y", arguments: [0x1p16, 0x1p20, 0x1p30])
    func offset(of distance: Double) throws {
        let type = distance > 0x1p20 ? Matrix.ElementType.float64 : .float32
        let x = [Self.eighths(1), Self.eighths(2)]
        let noise = [Self.eighths(7), Self.eighths(9)]
        // Near enough to X that Y - X varies less than Y.
        let y = (0..<2).map { column in zip(x[column], noise[column]).map { $0 * 0.875 + $1 / 256 } }
        let near = try compare(Matrix(x, type), Matrix(y, type)).figures
        let far = try compare(Matrix(x.map { $0.map { $0 + distance } }, type), Matrix(y, type)).figures
        for figure in [\LayerFigures.linearity, \.linearityWithoutResidual, \.linearityHeldOut, \.orthogonalProcrustes]
        {
            let (want, got) = (try #require(near[keyPath: figure].value), try #require(far[keyPath: figure].value))
            #expect(abs(want - got) < 1e-6)
        }
    }

    // MARK: Files

    private struct Matrix {
        let columns: [[Double]]
        let isFloat64: Bool

        enum ElementType { case float32, float64 }

        init(_ columns: [[Double]], _ type: ElementType = .float32) {
            (self.columns, isFloat64) = (columns, type == .float64)
        }

        /// A NumPy file, column by column.
        var bytes: [UInt8] {
            let header =
                "{'descr': '\(isFloat64 ? "<f8" : "<f4")', 'fortran_order': True, "
                + "'shape': (\(columns[0].count), \(columns.count))}"
            let start: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0]
            let elements = columns.joined().flatMap { element in
                isFloat64 ? Self.bytes(element.bitPattern) : Self.bytes(Float(element).bitPattern)
            }
            return start + Array(header.utf8) + elements
        }

        private static func bytes(_ bits: some FixedWidthInteger) -> [UInt8] {
            (0..<bits.bitWidth / 8).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
        }
    }

    private func compare(_ x: Matrix, _ y: Matrix) throws -> EmbeddingComparison.Result {
        var template = Array("/tmp/embedding-extremes-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Failure(call: "mkdtemp", code: errno) }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unsafe rmdir(folder) }
        let paths = ["\(folder)/x.npy", "\(folder)/y.npy"]
        defer { for path in paths { unsafe unlink(path) } }
        for (path, matrix) in zip(paths, [x, y]) { try write(matrix.bytes, to: path) }
        var settings = EmbeddingComparison.Settings()
        settings.foldCount = 2
        settings.keepsMap = true
        return try EmbeddingComparison(
            x: StoredMatrix(paths[0]), y: StoredMatrix(paths[1]), device: .host(laneCount: 2), settings: settings
        ).run()
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        guard let stream = unsafe fopen(path, "w") else { throw Failure(call: "fopen \(path)", code: errno) }
        defer { unsafe fclose(stream) }
        guard unsafe fwrite(bytes, 1, bytes.count, stream) == bytes.count else {
            throw Failure(call: "fwrite \(path)", code: errno)
        }
    }

    private struct Failure: Error {
        let call: String
        let code: CInt
    }
}
