import Checkpoints
public import Compute
public import Transformers

/// What something was computed on, how long that took, and by which program.
public struct Computation: Sendable {
    public var device: String
    public var computeType: String
    public var laneCount: Int
    /// The matrix library and the kernel set it chose.
    public var library: String
    /// From the beginning of the command.
    public var totalSeconds: Double
    /// Until the model and the tokens were read.
    public var loadSeconds: Double
    public var peakResidentByteCount: Int
    public var program: Program

    public init(
        device: String, computeType: String, laneCount: Int, library: String, totalSeconds: Double,
        loadSeconds: Double, peakResidentByteCount: Int, program: Program
    ) {
        self.device = device
        self.computeType = computeType
        self.laneCount = laneCount
        self.library = library
        self.totalSeconds = totalSeconds
        self.loadSeconds = loadSeconds
        self.peakResidentByteCount = peakResidentByteCount
        self.program = program
    }

    /// The program that computes.
    public struct Program: Sendable {
        public var version: String
        public var gitRevision: String?

        public init(version: String, gitRevision: String?) {
            self.version = version
            self.gitRevision = gitRevision
        }
    }
}

extension Computation {
    /// Describes what this process has computed so far.
    public init(
        on device: Device, computeType: ComputeType, totalSeconds: Double, loadSeconds: Double, program: Program
    ) {
        self.init(
            device: device.name, computeType: computeType.rawValue, laneCount: device.laneCount,
            library: device.libraryDescription, totalSeconds: totalSeconds, loadSeconds: loadSeconds,
            peakResidentByteCount: HostResources.peakResidentByteCount(), program: program)
    }

    typealias Members = [(key: String, value: JSON)]

    /// The description as files hold it.
    ///
    /// - Parameters:
    ///   - more: Members that come behind the device.
    ///   - stages: Seconds of single stages.
    func json(_ more: Members = [], seconds stages: Members = []) -> JSON {
        let seconds = [("total", JSON.number(totalSeconds)), ("load", .number(loadSeconds))] + stages
        return .object(
            JSONObject(
                [("device", .string(device)), ("compute_type", .string(computeType))] + more + [
                    ("seconds", .object(JSONObject(seconds))),
                    ("peak_resident_bytes", .integer(peakResidentByteCount)), ("lanes", .integer(laneCount)),
                    ("library", .string(library)), ("version", .string(program.version)),
                    ("git_revision", program.gitRevision.map(JSON.string) ?? .null),
                ]))
    }
}

extension Computation {
    /// - Throws: `ProfileError` with the place that is not as `json()` writes it.
    init(_ run: JSONReader) throws(ProfileError) {
        let seconds = try run.required("seconds")
        self.init(
            device: try run.required("device").string(), computeType: try run.required("compute_type").string(),
            laneCount: try run.required("lanes").count(), library: try run.required("library").string(),
            totalSeconds: try seconds.required("total").number(), loadSeconds: try seconds.required("load").number(),
            peakResidentByteCount: try run.required("peak_resident_bytes").count(),
            program: Program(
                version: try run.required("version").string(),
                gitRevision: try run.member("git_revision")?.string()))
    }
}
