import ArgumentParser
import Checkpoints
import Compute
import Linearity
import Reports

/// How a fit is computed, as an option names it.
enum ComparisonMethod: String, ExpressibleByArgument, CaseIterable {
    case gram, svd

    var value: EmbeddingComparison.Method {
        switch self {
        case .gram: .gram
        case .svd: .svd
        }
    }
}

struct Procrustes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how nearly one set of vectors is a linear image of another.",
        discussion: """
            X and Y are matrices in .npy or .safetensors files, of any size: row i of X belongs to row i of Y. Shows, and \
            with --out writes as JSON, the linearity score of Y ≈ X·A + b in-sample and held out over contiguous folds \
            of rows, orthogonal Procrustes similarity, and linear CKA, which is the RV coefficient.

            With --map also writes what takes X to Y, float64: map and bias, y ≈ x·map + bias; where the widths are \
            equal also rotation, scale and offset, y ≈ scale·x·rotation + offset.

            EXAMPLES
              straightedge procrustes english.npy german.npy
              straightedge procrustes states.safetensors states.safetensors --x-tensor stream.3 --y-tensor stream.4
              straightedge procrustes x.npy y.npy --method svd
              straightedge procrustes x.npy y.npy --folds 10 --out comparison.json --map map.safetensors
            """)

    @Argument(help: "Vectors to map: an .npy or .safetensors file.", completion: .file(extensions: Procrustes.endings))
    var x: String

    @Argument(help: "Vectors to map them to, one for each of X.", completion: .file(extensions: Procrustes.endings))
    var y: String

    @Option(help: ArgumentHelp("Tensor of the file of X; needed where it has several matrices.", valueName: "name"))
    var xTensor: String?

    @Option(help: ArgumentHelp("Tensor of the file of Y.", valueName: "name"))
    var yTensor: String?

    @Option(
        help: ArgumentHelp(
            "How the fit is computed: from the Gram matrix of X, or from the singular values of X itself, which takes "
                + "several times as long and holds where X is ill-conditioned.", valueName: "method"))
    var method: ComparisonMethod = .gram

    @Option(help: ArgumentHelp("Folds of the held-out scores; 1 for none.", valueName: "k"))
    var folds = 5

    @Option(help: ArgumentHelp("File for the figures.", valueName: "file.json"), completion: .file())
    var out: String?

    @Option(
        help: ArgumentHelp("File for the maps.", valueName: "file.safetensors"),
        completion: .file(extensions: ["safetensors"]))
    var map: String?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    @Option(help: ArgumentHelp("Where to compute: \(Device.knownNames.joined(separator: ", ")).", valueName: "device"))
    var device = "host"

    @Option(
        help: ArgumentHelp(
            "Memory to take at most, for instance 500M or 8G (default: 80 % of what is free).", valueName: "bytes"))
    var memory: ByteCount?

    private static let endings = ["npy", "safetensors"]

    func validate() throws {
        try Limits.check(folds: folds)
        if map?.hasSuffix(".safetensors") == false { throw ValidationError("--map needs a name in .safetensors.") }
        if let map, map == out { throw ValidationError("--out and --map need files of their own.") }
        guard Device.knownNames.contains(device) else {
            throw ValidationError(
                "No device is named '\(device)'; known: \(Device.knownNames.joined(separator: ", ")).")
        }
    }

    func run() throws {
        try Failure.reporting {
            var stopwatch = Stopwatch()
            let device = try Device.named(self.device)
            let (x, y) = (try StoredMatrix(self.x, name: xTensor), try StoredMatrix(self.y, name: yTensor))
            let comparison = try EmbeddingComparison(x: x, y: y, device: device, settings: settings)
            Interruption.explain("nothing was written; the same command begins anew")
            // Before hours are spent: are they taken, can they be written there?
            if let out { _ = try WholeFile(path: out, replaces: force) }
            if let map { _ = try WholeFile(path: map, replaces: force, option: "--map") }
            comparison.warnings.forEach(Failure.warn)
            let progress = ProgressLine(isQuiet: quiet)
            defer { progress.clear() }
            let result = try comparison.run { progress.show(Procrustes.describe($0)) }
            progress.clear()
            result.warnings.dropFirst(comparison.warnings.count).forEach(Failure.warn)
            let report = EmbeddingReport(
                x: x, y: y, settings: settings, result: result,
                run: EmbeddingReport.Run(
                    device: device.name, laneCount: device.laneCount, library: device.libraryDescription,
                    totalSeconds: stopwatch.lap(), peakResidentByteCount: HostResources.peakResidentByteCount(),
                    version: Version.current, gitRevision: BuildInformation.gitRevision))
            try write(report)
            if !quiet { show(report) }
        }
    }

    private var settings: EmbeddingComparison.Settings {
        var settings = EmbeddingComparison.Settings()
        settings.method = method.value
        settings.foldCount = folds
        settings.keepsMap = map != nil
        settings.memoryByteCount = memory?.value
        return settings
    }

    private static func describe(_ progress: EmbeddingComparison.Progress) -> String {
        guard progress.completedRowCount > 0 else { return "\(progress.stage.rawValue) …" }
        let share = Double(progress.completedRowCount) / Double(progress.rowCount)
        let left = progress.seconds / share * (1 - share)
        return "\(progress.stage.rawValue): \(Text.count(progress.completedRowCount)) of "
            + "\(Text.count(progress.rowCount)) rows, \(Text.duration(left)) left"
    }

    /// Both files, or none.
    private func write(_ report: EmbeddingReport) throws {
        let maps = if let map { try mapFile(map, report) } else { nil as SafetensorsWriter? }
        if let out {
            let file = try WholeFile(path: out, replaces: force)
            try file.write(Array(report.json().serialized(indented: true).utf8))
            try file.finish()
        }
        try maps?.finish()
    }

    private func mapFile(_ path: String, _ report: EmbeddingReport) throws -> SafetensorsWriter? {
        guard let map = report.result.map else { return nil }
        let (width, targetWidth) = (report.x.columnCount, report.y.columnCount)
        var tensors = [
            SafetensorsWriter.Entry(name: "map", type: "F64", shape: [width, targetWidth]),
            SafetensorsWriter.Entry(name: "bias", type: "F64", shape: [targetWidth]),
        ]
        if map.orthogonal != nil {
            tensors += [
                SafetensorsWriter.Entry(name: "rotation", type: "F64", shape: [width, width]),
                SafetensorsWriter.Entry(name: "scale", type: "F64", shape: []),
                SafetensorsWriter.Entry(name: "offset", type: "F64", shape: [width]),
            ]
        }
        let writer = try SafetensorsWriter(path: path, replaces: force, option: "--map", tensors: tensors)
        try writer.write(map.map)
        try writer.write(map.bias)
        if let orthogonal = map.orthogonal {
            try writer.write(orthogonal.rotation)
            try writer.write([orthogonal.scale])
            try writer.write(orthogonal.offset)
        }
        return writer
    }

    private func show(_ report: EmbeddingReport) {
        print(report.table())
        let seconds = report.result.seconds
        print(
            "\(Text.duration(report.run.totalSeconds)): reading \(Text.duration(seconds.reading)), multiplying "
                + "\(Text.duration(seconds.multiplying)), solving \(Text.duration(seconds.solving)); peak memory "
                + "\(Text.bytes(report.run.peakResidentByteCount)).")
        let files = [out, map].compactMap { $0 }
        if !files.isEmpty { print("Results: \(files.joined(separator: " and "))") }
    }
}
