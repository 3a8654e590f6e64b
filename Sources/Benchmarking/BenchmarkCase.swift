import Compute
import Conformance
public import Tensors

/// One operation with given sizes: what it moves and computes, how its operands are made, and how its answer is
/// checked.
public struct BenchmarkCase: Sendable, CustomStringConvertible {
    /// The operation, in the words of the kernel library: `normalize`.
    public let operation: String
    /// What sets this case apart from the operation's others: `tokens=2048 width=4096`.
    public let sizes: String
    /// Of one call.
    public let work: Work
    /// Whether the program makes such calls on all lanes at once, and so does the benchmark.
    public let isPerLane: Bool
    /// Bytes of memory of one set of operands.
    public let byteCount: Int
    let prepare: @Sendable (Device, inout SplitMix64) throws(ComputeError) -> PreparedCall

    /// For instance `normalize root_mean_square rows=2048 width=4096`; a filter looks for its text in here.
    public var description: String { "\(operation) \(sizes)" }

    init(
        _ operation: String, _ sizes: String, _ work: Work, byteCount: Int, isPerLane: Bool = true,
        prepare: @escaping @Sendable (Device, inout SplitMix64) throws(ComputeError) -> PreparedCall
    ) {
        self.operation = operation
        self.sizes = sizes
        self.work = work
        self.byteCount = byteCount
        self.isPerLane = isPerLane
        self.prepare = prepare
    }
}

/// What one call has to do at least, counted from the definition of its operation.
public struct Work: Sendable, Hashable {
    /// Floating-point additions and multiplications; 0 where moving the bytes is all.
    public let operations: Double
    /// Bytes that have to be read and written, each once.
    public let bytes: Double
    /// What bounds the rate.
    public let ceiling: Ceiling

    /// A call bounded by the bytes that it moves.
    static func moving(bytes: Int, ceiling: Ceiling = .copy, operations: Double = 0) -> Work {
        Work(operations: operations, bytes: Double(bytes), ceiling: ceiling)
    }

    /// A call bounded by what it computes.
    static func computing(_ operations: Double, in type: ElementType, bytes: Int) -> Work {
        Work(operations: operations, bytes: Double(bytes), ceiling: .product(type))
    }
}

/// A rate of the device that others are compared with; it is measured in the same run.
public enum Ceiling: Sendable, Hashable, CustomStringConvertible {
    /// Bytes a second read and written by a copy in the device's memory.
    case copy
    /// Bytes a second from the program's memory into the device's.
    case write
    /// Operations a second of the quickest matrix product of the type.
    case product(ElementType)

    public var description: String {
        switch self {
        case .copy: "copy"
        case .write: "write"
        case .product(let type): "product \(type.rawValue)"
        }
    }
}

/// A call whose operands are in place.
struct PreparedCall: Sendable {
    /// The call that is timed.
    let run: @Sendable () throws(ComputeError) -> Void
    /// Puts operands back that a call overwrites; nil where calls can follow each other as they are.
    let restore: (@Sendable () throws(ComputeError) -> Void)?
    /// Compares the answer of one call with plain sums in Double, in a few places.
    let check: @Sendable (inout Judgement) throws(ComputeError) -> Void

    init(
        run: @escaping @Sendable () throws(ComputeError) -> Void,
        restore: (@Sendable () throws(ComputeError) -> Void)? = nil,
        check: @escaping @Sendable (inout Judgement) throws(ComputeError) -> Void
    ) {
        self.run = run
        self.restore = restore
        self.check = check
    }
}
