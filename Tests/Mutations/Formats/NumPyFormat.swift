import Checkpoints
import Compute
import Linearity
import Reports

/// Two matrices, as `straightedge procrustes` reads them from NumPy and safetensors files.
struct NumPyFormat: InputFormat {
    let name = "npy"

    func base(_ random: inout RandomSource) -> CaseFiles {
        let (x, y) = Self.matrices(&random)
        return CaseFiles(folder: [Self.file("x", x, changes: 0, &random), Self.file("y", y, changes: 0, &random)])
    }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 4)
        var (x, y) = Self.matrices(&random)
        if !isBlind, random.once(in: 2) { Self.mutate(&x, &y, &random) }
        let changes = isBlind || random.once(in: 2) ? (0, 0) : random.pick([(1, 0), (0, 1), (2, 0), (0, 2), (1, 1)])
        var files = CaseFiles(folder: [
            Self.file("x", x, changes: changes.0, &random), Self.file("y", y, changes: changes.1, &random),
        ])
        if isBlind || random.once(in: 8) { files.mutateBytes(&random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        let names = Disk.names(in: path)
        let matrices = ["x", "y"].map { letter in
            exercise.attempt { try StoredMatrix("\(path)/\(names.first { $0.hasPrefix(letter) } ?? letter)") }
        }
        for case let matrix? in matrices { Self.read(matrix, &exercise) }
        guard let x = matrices[0], let y = matrices[1] else { return }
        for method in EmbeddingComparison.Method.allCases { Self.compare(x, y, method, &exercise) }
    }

    // MARK: Files

    /// Y is an image of X, with some noise.
    private static func matrices(_ random: inout RandomSource) -> (x: MatrixNumbers, y: MatrixNumbers) {
        let (rowCount, width) = (12 + random.index(29), 1 + random.index(9))
        let x = MatrixNumbers(rowCount: rowCount, width: width, &random)
        return (x, x.image(width: random.once(in: 2) ? width : 1 + random.index(9), &random))
    }

    /// Of one of them, or of both alike where only that leaves a pair.
    private static func mutate(_ x: inout MatrixNumbers, _ y: inout MatrixNumbers, _ random: inout RandomSource) {
        for _ in 0...random.index(2) { random.once(in: 2) ? x.mutate(&random) : y.mutate(&random) }
        guard x.rowCount != y.rowCount, !random.once(in: 8) else { return }
        if x.rowCount > y.rowCount {
            y = MatrixNumbers(rowCount: x.rowCount, width: y.width, &random)
        } else {
            x = MatrixNumbers(rowCount: y.rowCount, width: x.width, &random)
        }
    }

    private static func file(
        _ name: String, _ matrix: MatrixNumbers, changes: Int, _ random: inout RandomSource
    ) -> (name: String, bytes: [UInt8]) {
        if random.once(in: 4) {
            var document = SafetensorsDocument(matrix, &random)
            for _ in 0..<changes { document.mutate(&random) }
            return ("\(name).safetensors", document.bytes)
        }
        var document = NumPyDocument(matrix, &random)
        for _ in 0..<changes { document.mutate(&random) }
        return ("\(name).npy", document.bytes)
    }

    // MARK: Use

    /// Every row, in blocks.
    private static func read(_ matrix: StoredMatrix, _ exercise: inout Exercise) {
        let blockRowCount = max(1, min(matrix.rowCount / 3, (1 << 16) / matrix.columnCount))
        var byteCount = 0
        for begin in stride(from: 0, to: matrix.rowCount, by: blockRowCount) {
            let rows = begin..<min(begin + blockRowCount, matrix.rowCount)
            matrix.prefetch(rows: rows)
            byteCount += matrix.bytes(ofRows: rows).count
            matrix.release(rows: rows)
        }
        if byteCount > matrix.file.byteCount {
            exercise.complain("\(byteCount) bytes of elements are more than the file")
        }
    }

    private static func compare(
        _ x: StoredMatrix, _ y: StoredMatrix, _ method: EmbeddingComparison.Method, _ exercise: inout Exercise
    ) {
        let device = Device.host(laneCount: 1)
        var settings = EmbeddingComparison.Settings()
        settings.method = method
        settings.foldCount = 2
        settings.keepsMap = true
        // What the files justify, less what is taken besides: the plan of the comparison has to hold.
        settings.memoryByteCount =
            MemoryMeter.allowance(fileByteCount: x.file.byteCount + y.file.byteCount) - MemoryMeter.constant / 2
        let result = exercise.attempt {
            try EmbeddingComparison(x: x, y: y, device: device, settings: settings).run()
        }
        guard let result else { return }
        check(result, method, &exercise)
        let report = EmbeddingReport(
            x: x, y: y, settings: settings, result: result,
            run: .init(
                device: device.name, laneCount: device.laneCount, library: "OpenBLAS", totalSeconds: 1,
                peakResidentByteCount: 1 << 20, version: "1", gitRevision: "0"))
        let json = report.json()
        _ = (json.serialized(indented: true), json.serialized(indented: false), report.table())
    }

    /// What holds whatever the numbers are.
    private static func check(
        _ result: EmbeddingComparison.Result, _ method: EmbeddingComparison.Method, _ exercise: inout Exercise
    ) {
        let figures = result.figures
        let shares: [(name: String, figure: Figure)] = [
            ("linearity", figures.linearity), ("orthogonal Procrustes", figures.orthogonalProcrustes),
            ("linear CKA", result.linearCKA), ("chance floor", figures.chanceFloor),
        ]
        for (name, figure) in shares {
            if let value = figure.value, !(-1e-6...1 + 1e-6).contains(value) {
                exercise.complain("\(method.rawValue): \(name) is \(value), and lies between 0 and 1 by its definition")
            }
        }
        guard let map = result.map else { return }
        let numbers = map.map + map.bias + (map.orthogonal.map { $0.rotation + [$0.scale] + $0.offset } ?? [])
        if let number = numbers.first(where: { !$0.isFinite }) {
            exercise.complain("\(method.rawValue): a map has the number \(number)")
        }
    }
}
