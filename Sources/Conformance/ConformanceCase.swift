public import Compute

/// One operation with given sizes, on data from a seed, judged by plain arithmetic in Double.
public struct ConformanceCase: Sendable, CustomStringConvertible {
    /// The operation, in the words of the kernel library: `normalize`.
    public let operation: String
    /// What sets this case apart from the operation's others: `rows=33 width=576`.
    public let sizes: String
    /// Of the generator that fills the operands.
    public let seed: UInt64
    private let body: @Sendable (inout Trial) throws(ComputeError) -> Void

    /// For instance `normalize layer rows=33`; a filter looks for its text in here.
    public var description: String { "\(operation) \(sizes)" }

    init(
        _ operation: String, _ sizes: String, seed: UInt64 = 1,
        _ body: @escaping @Sendable (inout Trial) throws(ComputeError) -> Void
    ) {
        self.operation = operation
        self.sizes = sizes
        self.seed = seed
        self.body = body
    }

    /// Computes on the device and compares with the judge. Memory around the results must be as it was, and so must
    /// the operands that the operation only reads.
    ///
    /// - Throws: `ComputeError` where the device refuses the operation.
    public func run(on device: Device) throws(ComputeError) -> ConformanceOutcome {
        var trial = Trial(device: device, seed: seed)
        try body(&trial)
        try trial.checkSurroundings()
        return ConformanceOutcome(name: description, trial.judgement)
    }
}
