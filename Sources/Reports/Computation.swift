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
    public var program: AnalysisJob.Program

    /// Describes what this process has computed so far.
    public init(
        on device: Device, computeType: ComputeType, totalSeconds: Double, loadSeconds: Double,
        program: AnalysisJob.Program
    ) {
        self.device = device.name
        self.computeType = computeType.rawValue
        laneCount = device.laneCount
        library = device.libraryDescription
        self.totalSeconds = totalSeconds
        self.loadSeconds = loadSeconds
        peakResidentByteCount = HostResources.peakResidentByteCount()
        self.program = program
    }

    /// The description as files hold it.
    ///
    /// - Parameter more: Members that come first.
    func json(_ more: [(key: String, value: JSON)] = []) -> JSON {
        .object(
            JSONObject(
                more + [
                    ("device", .string(device)), ("compute_type", .string(computeType)),
                    ("seconds", ["total": .number(totalSeconds), "load": .number(loadSeconds)]),
                    ("peak_resident_bytes", .integer(peakResidentByteCount)), ("lanes", .integer(laneCount)),
                    ("library", .string(library)), ("version", .string(program.version)),
                    ("git_revision", program.gitRevision.map(JSON.string) ?? .null),
                ]))
    }
}
