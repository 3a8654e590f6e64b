public import Compute
public import Transformers

/// How an analysis uses the memory it may take: planned before anything is taken.
public struct MemoryPlan: Sendable, Hashable {
    /// Bytes that the analysis may take.
    public let budgetByteCount: Int
    /// Bytes of the streams of a layer, two and those of its sublayers, where they are kept in memory.
    public let streamByteCount: Int
    /// Bytes of everything else, at most; files that are mapped are not counted.
    public let workingByteCount: Int
    /// Tokens computed at once on each lane.
    public let slabTokenCount: Int
    public let placement: Stream.PlacementKind
    /// Whether the next layer's weights are read while one computes: there is memory for both.
    public let readsAhead: Bool

    /// Bytes that will be taken, at most.
    public var byteCount: Int { workingByteCount + (placement == .memory ? streamByteCount : 0) }

    /// A plan as it was made.
    public init(
        budgetByteCount: Int, streamByteCount: Int, workingByteCount: Int, slabTokenCount: Int,
        placement: Stream.PlacementKind, readsAhead: Bool = false
    ) {
        self.budgetByteCount = budgetByteCount
        self.streamByteCount = streamByteCount
        self.workingByteCount = workingByteCount
        self.slabTokenCount = slabTokenCount
        self.placement = placement
        self.readsAhead = readsAhead
    }

    /// Places the streams, in the device's memory if they fit, else in the host's or in a scratch file, and chooses the
    /// slabs.
    ///
    /// - Parameters:
    ///   - foldCount: Folds of the measurement.
    ///   - slabTokenCount: Of an earlier run that is continued, nil to choose.
    /// - Throws: `LinearityError.memory` where even one sequence at a time, with the streams in a scratch file, is too
    ///   much.
    public init(
        plan: DecoderPlan, layout: SequenceLayout, settings: Analysis.Settings, foldCount: Int, device: Device,
        slabTokenCount chosenSlabTokenCount: Int? = nil
    ) throws(LinearityError) {
        let measurement = LayerMeasurement.byteCount(
            width: plan.width, foldCount: foldCount, laneCount: device.laneCount,
            measuresTokenErrors: settings.measuresTokenErrors)
        // Ids, four numbers a token and view, and the errors of all tokens, in-sample and held-out.
        let steps = (settings.layers?.count ?? plan.layerCount) * settings.sites.count + 1
        let tokens = layout.tokenCount * 4 * (7 + (settings.measuresTokenErrors ? 4 * steps : 0))
        let sublayerStreamCount = settings.sites.contains { $0 != .layer } ? (plan.residual == .parallel ? 2 : 1) : 0
        try self.init(
            plan: plan, layout: layout, streamCount: 2 + sublayerStreamCount, otherByteCount: measurement + tokens,
            device: device, computeType: settings.computeType, budgetByteCount: settings.memoryByteCount,
            slabTokenCount: chosenSlabTokenCount)
    }

    /// For a forward pass alone.
    ///
    /// - Parameters:
    ///   - keptStreamCount: Streams that are kept beside the two of the pass.
    ///   - otherByteCount: What else is taken while the pass has its memory.
    public init(
        plan: DecoderPlan, layout: SequenceLayout, device: Device, computeType: ComputeType, budgetByteCount: Int?,
        keptStreamCount: Int = 0, otherByteCount: Int = 0
    ) throws(LinearityError) {
        try self.init(
            plan: plan, layout: layout, streamCount: 2 + keptStreamCount,
            otherByteCount: layout.tokenCount * 4 + otherByteCount, device: device,
            computeType: computeType, budgetByteCount: budgetByteCount, slabTokenCount: nil)
    }

    /// For a pass of so many streams beside so many other bytes.
    package init(
        plan: DecoderPlan, layout: SequenceLayout, streamCount: Int, otherByteCount: Int, device: Device,
        computeType: ComputeType, budgetByteCount: Int?, slabTokenCount chosenSlabTokenCount: Int? = nil
    ) throws(LinearityError) {
        let available = try comparing { () throws(ComputeError) in try device.availableMemoryByteCount() }
        let budget = budgetByteCount ?? available / 5 * 4
        let streams = streamCount * layout.tokenCount * plan.width * 4
        let longest = layout.lengths.max() ?? 0
        var slabTokenCount = chosenSlabTokenCount ?? device.preferredRowCounts.slab
        func working(readsAhead: Bool = false) -> Int {
            let slab = max(slabTokenCount, longest)
            return Forward.workingByteCount(
                plan: plan, slabTokenCount: slab, device: device, computeType: computeType, longest: longest,
                readsAhead: readsAhead) + otherByteCount
        }
        while chosenSlabTokenCount == nil, working() > budget, slabTokenCount > max(64, longest) { slabTokenCount /= 2 }
        guard working() <= budget else {
            throw .memory(
                needed: working(), budget: budget, longestSequence: longest, width: plan.width)
        }
        self.budgetByteCount = budget
        streamByteCount = streams
        self.slabTokenCount = slabTokenCount
        // Half of the host's memory stays for what is cached of the files, and for others.
        let fitsHost = device.hasOwnMemory && streams <= HostResources.availableMemoryByteCount() / 2
        placement = working() + streams <= budget ? .memory : fitsHost ? .hostMemory : .scratchFile
        // Streams in memory save more than weights that are there early.
        let taken = working(readsAhead: true) + (placement == .memory ? streams : 0)
        readsAhead = taken <= budget
        workingByteCount = working(readsAhead: readsAhead)
    }
}
