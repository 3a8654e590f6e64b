public import Checkpoints
import Compute
import Linearity
import Tensors

/// What a run of benchmarks found, as a table and as JSON.
public struct BenchmarkReport: Sendable {
    public let machine: Machine
    public var outcomes: [BenchmarkOutcome] = []
    public var profile: (asked: ShapeProfile, result: ShapeProfile.Result)?

    /// Where it was measured, and with what.
    public struct Machine: Sendable {
        public var device: String
        public var library: String
        /// nil where there is no driver.
        public var driver: String?
        public var processor: String
        public var coreCount: Int
        public var laneCount: Int
        public var version: String
        public var gitRevision: String?

        public init(
            device: String, library: String, driver: String?, processor: String, coreCount: Int, laneCount: Int,
            version: String, gitRevision: String?
        ) {
            self.device = device
            self.library = library
            self.driver = driver
            self.processor = processor
            self.coreCount = coreCount
            self.laneCount = laneCount
            self.version = version
            self.gitRevision = gitRevision
        }
    }

    public init(machine: Machine) {
        self.machine = machine
    }

    /// The rate of a ceiling in this run, in operations or bytes a second; nil where it was not measured.
    public func rate(of ceiling: Ceiling) -> Double? {
        switch ceiling {
        case .copy, .write:
            let outcome = outcomes.first { $0.benchmark.operation == ceiling.description }
            return outcome.flatMap { outcome in outcome.figures.map { $0.byteRate(outcome.benchmark.work) } }
        case .product:
            return outcomes.filter { $0.benchmark.operation == "product" && $0.benchmark.work.ceiling == ceiling }
                .compactMap { outcome in outcome.figures?.operationRate(outcome.benchmark.work) }.max()
        }
    }

    /// The share of its ceiling that a case reaches; nil where either was not measured.
    public func share(of outcome: BenchmarkOutcome) -> Double? {
        let work = outcome.benchmark.work
        guard let figures = outcome.figures, let ceiling = rate(of: work.ceiling) else { return nil }
        if case .product = work.ceiling { return figures.operationRate(work) / ceiling }
        return figures.byteRate(work) / ceiling
    }
}

// MARK: JSON

extension BenchmarkReport {
    public static let schema = "straightedge.bench/1"

    public func json() -> JSON {
        var object: JSONObject = [
            "schema": .string(BenchmarkReport.schema), "version": .string(machine.version),
            "revision": machine.gitRevision.map(JSON.string) ?? .null, "device": .string(machine.device),
            "library": .string(machine.library), "driver": machine.driver.map(JSON.string) ?? .null,
            "processor": .string(machine.processor), "cores": .integer(machine.coreCount),
            "lanes": .integer(machine.laneCount),
        ]
        if !outcomes.isEmpty { object["cases"] = .array(outcomes.map(json)) }
        if let profile { object["profile"] = json(profile.asked, profile.result) }
        return .object(object)
    }

    private func json(_ outcome: BenchmarkOutcome) -> JSON {
        let (benchmark, work) = (outcome.benchmark, outcome.benchmark.work)
        var object: JSONObject = [
            "operation": .string(benchmark.operation), "sizes": .string(benchmark.sizes),
            "operations_per_call": .number(work.operations), "bytes_per_call": .number(work.bytes),
            "ceiling": .string(work.ceiling.description), "failure": outcome.complaint.map(JSON.string) ?? .null,
        ]
        guard let figures = outcome.figures else { return .object(object) }
        object["calls_at_once"] = .integer(figures.laneCount)
        object["operand_sets"] = .integer(figures.setCount)
        object["calls_per_sample"] = .integer(figures.callsPerSample)
        object["seconds_per_call"] = [
            "median": .number(figures.median), "lower_quartile": .number(figures.lowerQuartile),
            "upper_quartile": .number(figures.upperQuartile), "samples": .array(figures.samples.map(JSON.number)),
        ]
        object["operations_per_second"] = work.operations > 0 ? .number(figures.operationRate(work)) : .null
        object["bytes_per_second"] = .number(figures.byteRate(work))
        object["share_of_ceiling"] = share(of: outcome).map(JSON.number) ?? .null
        return .object(object)
    }

    private func json(_ asked: ShapeProfile, _ result: ShapeProfile.Result) -> JSON {
        let seconds = result.seconds
        return [
            "shape": .string(asked.shape.name), "width": .integer(asked.shape.width),
            "feed_forward_width": .integer(asked.shape.feedForwardWidth),
            "query_heads": .integer(asked.shape.heads.queryCount), "key_heads": .integer(asked.shape.heads.keyCount),
            "head_width": .integer(asked.shape.heads.width), "layers": .integer(result.layerCount),
            "model_layers": .integer(asked.shape.layerCount),
            "compute_type": .string(asked.settings.computeType.rawValue), "folds": .integer(asked.settings.foldCount),
            "token_errors": .bool(asked.settings.measuresTokenErrors),
            "layer_parameters": .integer(result.layerParameterCount), "tokens": .integer(asked.tokenCount),
            "sequences": .integer(result.sequenceCount),
            "sequence_length": .integer(min(asked.tokenCount, ShapeProfile.sequenceLength)),
            "slab_tokens": .integer(result.memory.slabTokenCount),
            "stream": .string(result.memory.placement.rawValue),
            "notes": .array(asked.notes.map(JSON.string)), "forward_operations": .number(result.forwardOperations),
            "seconds": [
                "load": .number(result.loadSeconds), "forward": .number(seconds.forward),
                "moments": .number(seconds.moments), "solve": .number(seconds.solve),
                "token_errors": .number(seconds.tokenErrors), "analysis": .number(result.analysisSeconds),
            ],
            "tokens_per_second": .number(Double(asked.tokenCount) / result.analysisSeconds),
            "forward_tokens_per_second": .number(Double(asked.tokenCount) / seconds.forward),
        ]
    }
}
