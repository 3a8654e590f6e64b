import Compute
public import Transformers

/// How an analysis uses the memory it may take: planned before anything is taken.
public struct MemoryPlan: Sendable, Hashable {
    /// Bytes that the analysis may take.
    public let budgetByteCount: Int
    /// Bytes of the two streams of a layer, where they are kept in memory.
    public let streamByteCount: Int
    /// Bytes of everything else, at most; files that are mapped are not counted.
    public let workingByteCount: Int
    /// Tokens computed at once on each lane.
    public let slabTokenCount: Int
    public let placement: Stream.PlacementKind

    /// Bytes that will be taken, at most.
    public var byteCount: Int { workingByteCount + (placement == .memory ? streamByteCount : 0) }

    /// Tokens of a slab where memory allows: the products are then large enough for full speed.
    private static let preferredSlabTokenCount = 1024

    /// Places the streams, and chooses the slabs.
    ///
    /// - Parameter budgetByteCount: nil for 80 % of what is available.
    /// - Throws: `LinearityError.memory` where even one sequence at a time, with the streams in a scratch file, is too
    ///   much.
    public init(
        plan: DecoderPlan, layout: SequenceLayout, foldCount: Int, laneCount: Int, budgetByteCount: Int?
    ) throws(LinearityError) {
        let budget = budgetByteCount ?? HostResources.availableMemoryByteCount() / 5 * 4
        let streams = 2 * layout.tokenCount * plan.width * 4
        let measurement = LayerMeasurement.byteCount(width: plan.width, foldCount: foldCount, laneCount: laneCount)
        // Ids, and four numbers a token and view.
        let tokens = layout.tokenCount * 4 * 7
        let longest = layout.lengths.max() ?? 0
        var slabTokenCount = MemoryPlan.preferredSlabTokenCount
        func working() -> Int {
            let slab = max(slabTokenCount, longest)
            return Forward.workingByteCount(plan: plan, slabTokenCount: slab, laneCount: laneCount, longest: longest)
                + measurement + tokens
        }
        while working() > budget, slabTokenCount > max(64, longest) { slabTokenCount /= 2 }
        guard working() <= budget else {
            throw .memory(
                needed: working(), budget: budget, longestSequence: longest, width: plan.width)
        }
        self.budgetByteCount = budget
        streamByteCount = streams
        workingByteCount = working()
        self.slabTokenCount = slabTokenCount
        placement = working() + streams <= budget ? .memory : .scratchFile
    }
}
