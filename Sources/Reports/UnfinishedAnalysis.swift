public import Checkpoints
import Compute
import Glibc
public import Linearity
import Tensors
public import Transformers

/// The folder beside the results where an analysis keeps its finished layers until it is done.
///
/// It holds what the analysis was begun with, a file of figures and a file of token errors for each finished layer, and
/// sometimes the stream that enters the next one. Each file appears whole.
public final class UnfinishedAnalysis: AnalysisStore {
    public let path: String
    public private(set) var finishedLayers: [Int: LayerResult] = [:]
    public private(set) var earlierSeconds = Analysis.Seconds()
    public private(set) var slabTokenCount: Int?
    /// How often it was taken up again.
    public private(set) var resumptionCount = 0
    /// Finished layers that are in the folder.
    public var keptLayerCount: Int { layerNumbers().count }

    private let settings: JSONObject
    private let tokenCount: Int
    private let interval: Double
    private let lock: Int32
    private var lastSaveSeconds = 0.0
    private var lastSaveDuration = 0.0

    private static let schema = "straightedge.unfinished/1"

    /// The folder's name for results that go to `results`.
    public static func path(for results: String) -> String { "\(results).unfinished" }

    public static func exists(for results: String) -> Bool { unsafe access(path(for: results), F_OK) == 0 }

    /// Finished layers that the folder holds, 0 where there is none.
    public static func keptLayerCount(for results: String) -> Int { layerNumbers(in: path(for: results)).count }

    /// Makes the folder, or takes up again what is in it.
    ///
    /// - Parameters:
    ///   - results: Where the results will go.
    ///   - settings: Everything that decides the results.
    ///   - tokenCount: Tokens of the corpus.
    ///   - interval: Seconds of work that an interruption may cost beyond one layer's.
    ///   - replaces: Whether to begin anew where there is something to take up.
    /// - Throws: `ResultFolderError` where the folder is in use, or was begun with other settings.
    public init(
        results: String, settings: JSONObject, tokenCount: Int, interval: Double, replaces: Bool
    ) throws(ResultFolderError) {
        path = UnfinishedAnalysis.path(for: results)
        self.settings = settings
        self.tokenCount = tokenCount
        self.interval = interval
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw ResultFolderError(
                description: "the folder \(path) could not be made: \(unsafe String(cString: strerror(errno)))")
        }
        lock = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw ResultFolderError(
                description: "another analysis is writing to \(path): wait for it, or give another --out")
        }
        if replaces { removeFiles() }
        try readHead()
        for layer in layerNumbers() { try read(layer) }
    }

    deinit {
        // Also where a process that was started meanwhile has inherited the descriptor.
        flock(lock, LOCK_UN)
        close(lock)
    }

    /// Removes the folder: the results are in their place.
    public func remove() {
        removeFiles()
        unsafe rmdir(path)
    }
}

// MARK: Keeping

extension UnfinishedAnalysis {
    public func begin(slabTokenCount: Int) throws(LinearityError) {
        self.slabTokenCount = slabTokenCount
        let head: JSON = [
            "schema": .string(UnfinishedAnalysis.schema), "settings": .object(settings),
            "slab_tokens": .integer(slabTokenCount), "resumptions": .integer(resumptionCount),
        ]
        try storing { () throws(ResultFolderError) in try write(head, to: "analysis.json") }
    }

    public func keep(_ result: LayerResult, seconds: Analysis.Seconds) throws(LinearityError) {
        try storing { () throws(ResultFolderError) in
            var hash = SHA256()
            // A file is there also where there are no errors, with a byte that says nothing.
            try AtomicFile.write("\(path)/\(name(result.layer)).errors") { append in
                for errors in result.steps.flatMap(\.views).compactMap(\.tokenErrors) {
                    for values in [errors.inSample, errors.heldOut] {
                        unsafe values.withUnsafeBytes { unsafe hash.update($0) }
                        try values.withRawSpan { bytes throws(ResultFolderError) in try append(bytes) }
                    }
                }
                hash.update([0])
                try [UInt8(0)].withRawSpan { bytes throws(ResultFolderError) in try append(bytes) }
            }
            let json: JSON = [
                "schema": .string(UnfinishedAnalysis.schema),
                "errors_sha256": .string(SHA256.hexadecimal(hash.finalize())), "seconds": seconds.json,
                "steps": .array(
                    result.steps.map { step in
                        [
                            "site": .string(step.site.rawValue),
                            "views": .array(step.views.map { $0.json(step, result) }),
                        ]
                    }),
            ]
            try write(json, to: "\(name(result.layer)).json")
        }
    }

    public func keep(_ stream: Stream, entering layer: Int, secondsSoFar: Double) throws(LinearityError) {
        // A save may not take more than a twentieth of the time.
        guard secondsSoFar - lastSaveSeconds >= max(interval, 20 * lastSaveDuration) else { return }
        var stopwatch = Stopwatch()
        try storing { () throws(ResultFolderError) in
            try AtomicFile.write("\(path)/\(streamName(layer))") { append in
                try UnfinishedAnalysis.forEachPanel(of: stream) { rows, staging in
                    let values = try stream.device.floats(of: stream.rows(rows, staging: staging))
                    try values.withRawSpan { bytes throws(ResultFolderError) in try append(bytes) }
                }
            }
        }
        for other in streamLayers() where other != layer { unsafe unlink("\(path)/\(streamName(other))") }
        lastSaveDuration = stopwatch.lap()
        lastSaveSeconds = secondsSoFar + lastSaveDuration
    }

    public func restore(into stream: Stream, enteringAtMost layer: Int) throws(LinearityError) -> Int? {
        guard let saved = streamLayers().filter({ $0 <= layer }).max() else { return nil }
        do {
            let file = try MappedFile("\(path)/\(streamName(saved))")
            let bytes = unsafe file.bytes
            guard bytes.count == stream.layout.tokenCount * stream.width * 4 else { return nil }
            try UnfinishedAnalysis.forEachPanel(of: stream) { rows, staging in
                let place = try stream.destination(rows, staging: staging)
                let begin = rows.lowerBound * stream.width * 4
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[begin..<begin + rows.count * stream.width * 4])
                try unsafe stream.device.write(RawSpan(_unsafeBytes: part), to: place)
                try stream.commit(place, at: rows)
            }
        } catch {
            throw .store(description: "\(error)")
        }
        return saved
    }

    private static func forEachPanel(of stream: Stream, _ body: (Range<Int>, Tensor) throws -> Void) throws {
        let rowCount = 2048
        let staging = try stream.device.makeTensor([rowCount, stream.width], .float32, for: "rows of the stream")
        for begin in stride(from: 0, to: stream.layout.tokenCount, by: rowCount) {
            try body(begin..<min(begin + rowCount, stream.layout.tokenCount), staging)
        }
    }
}

// MARK: Taking up again

extension UnfinishedAnalysis {
    private func readHead() throws(ResultFolderError) {
        guard unsafe access("\(path)/analysis.json", F_OK) == 0 else { return }
        let head = try json("analysis.json")
        guard head["schema"]?.string == UnfinishedAnalysis.schema, let begun = head["settings"]?.object else {
            throw damaged("analysis.json")
        }
        let different = settings.keys.filter { begun[$0] != settings[$0] } + begun.keys.filter { settings[$0] == nil }
        guard different.isEmpty else {
            throw ResultFolderError(
                description:
                    "\(path) was begun with another \(different.joined(separator: ", ")): give the command as it was, or "
                    + "--force without --resume to begin anew")
        }
        slabTokenCount = head["slab_tokens"]?.integer
        resumptionCount = (head["resumptions"]?.integer ?? 0) + 1
    }

    private func read(_ layer: Int) throws(ResultFolderError) {
        let name = "\(name(layer)).json"
        let json = try json(name)
        do {
            let file = JSONReader(path: "\(path)/\(name)", place: "", value: json)
            let errors = try MappedFile("\(path)/\(self.name(layer)).errors")
            let digest = unsafe SHA256.hexadecimal(SHA256.digest(of: errors.bytes))
            guard try file.required("errors_sha256").string() == digest else { throw damaged(name) }
            var offset = 0
            func take(_ count: Int) throws -> [Float] {
                guard unsafe offset + 4 * count <= errors.bytes.count else { throw damaged(name) }
                defer { offset += 4 * count }
                return (0..<count).map { index in
                    unsafe errors.bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: Float.self)
                }
            }
            var result = LayerResult(layer: layer, steps: [])
            for step in try file.required("steps").elements() {
                let views = try step.required("views").elements().map { view in
                    let row = try StepResult(view)
                    var tokenErrors: TokenErrors?
                    if let reason = view.member("held_out_reason") {
                        tokenErrors = TokenErrors(inSample: try take(tokenCount), heldOut: [], heldOutReason: "")
                        tokenErrors?.heldOutReason = try reason.string()
                        if tokenErrors?.heldOutReason == "" { tokenErrors?.heldOut = try take(tokenCount) }
                    }
                    return LayerMeasurement.Result(figures: row.figures, tokenErrors: tokenErrors)
                }
                guard let site = StepSite(rawValue: try step.required("site").string()) else { throw damaged(name) }
                result.steps.append(LayerResult.MeasuredStep(site: site, views: views))
            }
            finishedLayers[layer] = result
            let seconds = try Analysis.Seconds(file.required("seconds"))
            if seconds.sum >= earlierSeconds.sum { earlierSeconds = seconds }
        } catch {
            throw error as? ResultFolderError ?? ResultFolderError(description: "\(error)")
        }
    }

    private func json(_ name: String) throws(ResultFolderError) -> JSON {
        do {
            let file = try MappedFile("\(path)/\(name)")
            return try unsafe JSON.parse(file.bytes, source: "\(path)/\(name)")
        } catch {
            throw ResultFolderError(description: "\(error)")
        }
    }

    private func damaged(_ name: String) -> ResultFolderError {
        ResultFolderError(
            description: "\(path)/\(name) is not as it was written: begin anew with --force without --resume")
    }
}

// MARK: Files

extension UnfinishedAnalysis {
    private func name(_ layer: Int) -> String { "layer-\(UnfinishedAnalysis.digits(layer))" }

    private func streamName(_ layer: Int) -> String { "stream-\(UnfinishedAnalysis.digits(layer)).f32" }

    private static func digits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private func layerNumbers() -> [Int] { UnfinishedAnalysis.layerNumbers(in: path) }

    private static func layerNumbers(in path: String) -> [Int] { numbers(between: "layer-", and: ".json", in: path) }

    private func streamLayers() -> [Int] { UnfinishedAnalysis.numbers(between: "stream-", and: ".f32", in: path) }

    private static func numbers(between prefix: String, and suffix: String, in path: String) -> [Int] {
        names(in: path).compactMap { name in
            guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
            return Int(name.dropFirst(prefix.count).dropLast(suffix.count))
        }.sorted()
    }

    private static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            names.append(
                unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                    unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                })
        }
        return names
    }

    /// Removes what an analysis has written; anything else stays, and the folder with it.
    private func removeFiles() {
        for name in UnfinishedAnalysis.names(in: path) {
            let base = name.hasSuffix(AtomicFile.temporaryEnding) ? String(name.dropLast(8)) : name
            let isOurs =
                base == "analysis.json"
                || base.hasPrefix("layer-") && (base.hasSuffix(".json") || base.hasSuffix(".errors"))
                || base.hasPrefix("stream-") && base.hasSuffix(".f32")
            if isOurs { unsafe unlink("\(path)/\(name)") }
        }
    }

    private func write(_ json: JSON, to name: String) throws(ResultFolderError) {
        let text = Array(json.serialized(indented: true).utf8)
        try AtomicFile.write("\(path)/\(name)") { append in
            try text.withRawSpan { bytes throws(ResultFolderError) in try append(bytes) }
        }
    }

    /// Runs `body`, and rethrows its error as the instrument's.
    private func storing(_ body: () throws(ResultFolderError) -> Void) throws(LinearityError) {
        do { try body() } catch { throw .store(description: error.description) }
    }
}

// MARK: Values

extension LayerMeasurement.Result {
    fileprivate func json(_ step: LayerResult.MeasuredStep, _ layer: LayerResult) -> JSON {
        let row = StepResult(layer: layer.layer, site: step.site, figures: figures, tokenErrors: nil)
        var object = row.json([:]).object ?? JSONObject()
        if let tokenErrors {
            object["held_out_reason"] = .string(tokenErrors.heldOut.isEmpty ? tokenErrors.heldOutReason : "")
        }
        return .object(object)
    }
}

extension Analysis.Seconds {
    fileprivate var sum: Double { forward + moments + solve + tokenErrors }

    fileprivate var json: JSON {
        [
            "forward": .number(forward), "moments": .number(moments), "solve": .number(solve),
            "token_errors": .number(tokenErrors),
        ]
    }

    fileprivate init(_ seconds: JSONReader) throws(ProfileError) {
        self.init()
        forward = try seconds.required("forward").number()
        moments = try seconds.required("moments").number()
        solve = try seconds.required("solve").number()
        tokenErrors = try seconds.required("token_errors").number()
    }
}
