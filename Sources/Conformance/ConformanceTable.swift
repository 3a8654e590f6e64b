public import Compute

/// Every case of every operation: the tests run it on each device, and `straightedge doctor --conformance` on the
/// user's own machine.
public enum ConformanceTable {
    /// All cases, operation by operation.
    public static let all: [ConformanceCase] = [
        MemoryCases.all, DecodeCases.all, NormCases.all, ProductCases.all, ElementwiseCases.all, ConversionCases.all,
        RotationCases.all,
        AttentionCases.all, ActivationCases.all, TokenScoreCases.all, TokenDivergenceCases.all, SoftmaxCases.all,
        PanelCases.all,
        StatisticsCases.all,
        DenseCases.all,
        FactorizationCases.all, SpectrumCases.all,
    ].flatMap(\.self)

    /// Runs the cases whose description contains `filter`, one when its outcome is asked for.
    ///
    /// A case that the device refuses is an outcome that did not pass, and says why.
    ///
    /// - Parameter filter: All cases if nil.
    public static func run(on device: Device, filter: String? = nil) -> some Sequence<ConformanceOutcome> {
        let chosen = all.filter { candidate in filter.map { candidate.description.contains($0) } ?? true }
        return chosen.lazy.map { outcome(of: $0, on: device) }
    }

    private static func outcome(of candidate: ConformanceCase, on device: Device) -> ConformanceOutcome {
        do throws(ComputeError) {
            return try candidate.run(on: device)
        } catch {
            return ConformanceOutcome(name: candidate.description, refusal: "refused: \(error)")
        }
    }
}
