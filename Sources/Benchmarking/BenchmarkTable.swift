public import Compute

/// The cases of a device.
public struct BenchmarkTable: Sendable {
    /// Ceilings first.
    public let all: [BenchmarkCase]
    private let ceilings: [Ceiling: BenchmarkCase]

    /// - Throws: `ComputeError` where the device fails when it is asked what it offers.
    public init(for device: Device, scale: BenchmarkScale) throws(ComputeError) {
        let offers = try ProductBenchmarks.offers(device)
        let (copy, write) = (MemoryBenchmarks.copy(scale), MemoryBenchmarks.write(scale))
        var ceilings: [Ceiling: BenchmarkCase] = [.copy: copy, .write: write]
        let cubes = offers.map { ProductBenchmarks.cube($0, scale) }
        for (offer, cube) in zip(offers, cubes) { ceilings[.product(offer.operands)] = cube }
        self.ceilings = ceilings
        all =
            [copy, write] + cubes + offers.flatMap { ProductBenchmarks.layer($0, scale) }
            + AttentionBenchmarks.all(scale) + RowBenchmarks.all(scale)
            + DecodeBenchmarks.all(scale, isHost: device.name == "host") + PanelBenchmarks.all(scale)
            + FactorizationBenchmarks.all(scale)
    }

    /// The cases whose description contains `filter`, and those that measure their ceilings; none where no case does.
    ///
    /// - Parameter filter: All cases if nil.
    public func cases(matching filter: String?) -> [BenchmarkCase] {
        guard let filter else { return all }
        let chosen = all.filter { $0.description.contains(filter) }
        let names = Set(chosen.map(\.description) + chosen.compactMap { ceilings[$0.work.ceiling]?.description })
        return all.filter { names.contains($0.description) }
    }
}
