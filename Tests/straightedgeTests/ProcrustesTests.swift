import Checkpoints
import TestSupport
import Testing

@Suite("Two matrices are compared from the command")
struct ProcrustesTests {
    /// Rows of pseudo-random numbers as a NumPy file.
    private func array(rows: Int, columns: Int, seed: UInt64, _ change: (inout [Double]) -> Void = { _ in }) -> [UInt8]
    {
        var state = seed
        var values = (0..<rows * columns).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 48) / 65536 - 0.5
        }
        change(&values)
        var header = "{'descr': '<f8', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
        header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
        return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8)
            + values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
    }

    /// A folder with x.npy and y.npy of `rows` rows.
    private func folder(rows: Int = 200, columns: (x: Int, y: Int) = (5, 5)) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(array(rows: rows, columns: columns.x, seed: 1), to: "x.npy")
        try folder.write(array(rows: rows, columns: columns.y, seed: 2), to: "y.npy")
        return folder
    }

    private func run(_ folder: TemporaryFolder, _ arguments: String...) throws -> Command.Outcome {
        try Command.run(["procrustes", "\(folder.path)/x.npy", "\(folder.path)/y.npy"] + arguments)
    }

    @Test("the figures have the profile's names, and both methods agree", arguments: ["gram", "svd"])
    func figures(method: String) throws {
        let folder = try folder()
        let outcome = try run(folder, "--method", method, "--out", "\(folder.path)/o.json")
        #expect(outcome.exitCode == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.contains("linearity") && outcome.output.contains("linear CKA"))
        let report = try JSON.read("\(folder.path)/o.json")
        #expect(report["schema"]?.string == "straightedge.procrustes/1")
        #expect(report["run"]?["method"]?.string == method)
        let figures = try #require(report["figures"]?.object)
        for name in Command.rowNames.dropFirst(2) + ["linear_cka", "rv", "rv_modified"] {
            #expect(figures[name] != nil, "\(name)")
        }
        // Unrelated data: five columns of two hundred rows explain about a fortieth.
        let linearity = try #require(figures["linearity"]?.number)
        #expect(linearity > 0.001 && linearity < 0.1)
        #expect(figures["rank"]?.integer == 5)
    }

    @Test("maps are float64 safetensors, with a rotation where widths are equal", arguments: [5, 3])
    func maps(columns: Int) throws {
        let folder = try folder(columns: (5, columns))
        let outcome = try run(folder, "--map", "\(folder.path)/m.safetensors", "--quiet")
        #expect(outcome.exitCode == 0 && outcome.output.isEmpty)
        let file = try SafetensorsFile("\(folder.path)/m.safetensors")
        let names = ["map", "bias"] + (columns == 5 ? ["rotation", "scale", "offset"] : [])
        #expect(Set(file.tensorNames) == Set(names))
        #expect(try file.tensor("map").shape == [5, columns])
        #expect(try file.tensor("bias").shape == [columns])
        for name in names { #expect(try file.tensor(name).elementType == .float64) }
    }

    @Test("no more rows than columns are refused with 2, and nothing is written", arguments: [4, 5])
    func refused(rows: Int) throws {
        let folder = try folder(rows: rows)
        let outcome = try run(folder, "--out", "\(folder.path)/o.json")
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("\(rows) rows"))
        #expect(folder.names() == ["x.npy", "y.npy"])
    }

    @Test("matrices of different numbers of rows are refused with 2, and both are named")
    func rowCounts() throws {
        let folder = try folder()
        try folder.write(array(rows: 199, columns: 5, seed: 3), to: "y.npy")
        let outcome = try run(folder)
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("200") && outcome.errors.contains("199"))
        #expect(outcome.errors.contains("x.npy") && outcome.errors.contains("y.npy"))
    }

    @Test("a number that is none ends with 1, and its place is named", arguments: ["gram", "svd"])
    func notFinite(method: String) throws {
        let folder = try folder()
        try folder.write(array(rows: 200, columns: 5, seed: 2) { $0[5 * 150 + 3] = .nan }, to: "y.npy")
        let outcome = try run(folder, "--method", method, "--out", "\(folder.path)/o.json")
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("y.npy") && outcome.errors.contains("row 150"))
        #expect(outcome.errors.contains("column 3"))
        #expect(folder.names() == ["x.npy", "y.npy"])
    }

    @Test("numbers whose squares are lost end with 1", arguments: ["gram", "svd"], [1e160, 1e-160])
    func magnitudes(method: String, factor: Double) throws {
        let folder = try folder()
        try folder.write(
            array(rows: 200, columns: 5, seed: 2) { values in values.indices.forEach { values[$0] *= factor } },
            to: "x.npy")
        let outcome = try run(folder, "--method", method)
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("x.npy"))
    }

    @Test("a file that exists is kept without --force, whichever of the two it is", arguments: ["--out", "--map"])
    func existing(option: String) throws {
        let folder = try folder()
        try folder.write("mine", to: "o.safetensors")
        let outcome = try run(folder, option, "\(folder.path)/o.safetensors")
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("--force"))
        #expect(try folder.text("o.safetensors") == "mine")
        #expect(try run(folder, option, "\(folder.path)/o.safetensors", "--force").exitCode == 0)
        #expect(try folder.text("o.safetensors") != "mine")
    }

    @Test("a file of several matrices needs a name, and is told which there are")
    func tensorNames() throws {
        let folder = try folder()
        #expect(try run(folder, "--map", "\(folder.path)/m.safetensors").exitCode == 0)
        let path = "\(folder.path)/m.safetensors"
        let outcome = try Command.run(["procrustes", path, path])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("map") && outcome.errors.contains("rotation"))
        // Five rows of five columns: the names were taken, the rows are too few.
        let named = try Command.run(["procrustes", path, path, "--x-tensor", "map", "--y-tensor", "rotation"])
        #expect(named.exitCode == 2)
    }

    @Test("a missing file, and one that is no matrix, end with 1 and are named")
    func badFiles() throws {
        let folder = try folder()
        try folder.write("This is no matrix.\n", to: "y.npy")
        #expect(try run(folder).exitCode == 1)
        let outcome = try Command.run(["procrustes", "\(folder.path)/x.npy", "\(folder.path)/missing.npy"])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("missing.npy"))
    }
}
