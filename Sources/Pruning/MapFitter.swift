public import Compute
public import LinearAlgebra
public import Linearity
public import Transformers

/// Fits maps of one stream to another over the same tokens, wherever their rows are: of what enters layers to what leaves
/// them, of a pruned model's stream to the original's, of an MLP's output to what it should add.
public struct MapFitter {
    private let device: Device
    private let layout: SequenceLayout
    private let skippedTokenCount: Int
    private let width: Int
    private let gatherer: MomentGatherer

    /// - Parameters:
    ///   - folds: For held-out scores and the choice of alpha and K.
    ///   - skippedTokenCount: First tokens of each sequence that are left out.
    ///   - stages: Whether streams may be elsewhere than in the device's memory.
    public init(
        device: Device, layout: SequenceLayout, folds: FoldLayout, skippedTokenCount: Int = 0, width: Int, stages: Bool
    ) throws(PruningError) {
        self.device = device
        self.layout = layout
        self.skippedTokenCount = skippedTokenCount
        self.width = width
        gatherer = try computing { () throws(ComputeError) in
            try MomentGatherer(
                device: device, layout: layout, folds: folds, maskedTokenCount: skippedTokenCount, width: width,
                stages: stages)
        }
    }

    /// Bytes that are taken besides the streams, at most: of moments, of decompositions on every lane, and of the map.
    public static func byteCount(width: Int, foldCount: Int, laneCount: Int) -> Int {
        let matrixCount = 2 * foldCount + 2 + 14 * laneCount + 5
        return matrixCount * width * width * 8 + MomentGatherer.panelByteCount(width: width)
    }

    /// Tokens that are fitted.
    public var tokenCount: Int { layout.lengths.reduce(0) { $0 + max(0, $1 - skippedTokenCount) } }

    /// The map of x to y.
    ///
    /// - Parameters:
    ///   - x: Of the fitter's layout and width; `y` likewise.
    ///   - kind: Open where alpha or K is to be chosen by held-out errors.
    ///   - hasIntercept: Whether the map may have a bias; without it shares and scores are of sums of squares about zero.
    ///   - place: Where the streams are from, for errors.
    /// - Throws: `PruningError.map` where nothing can be fitted, `.nonFiniteRow`.
    public func fit(
        x: Stream, y: Stream, kind: MapKind, hasIntercept: Bool = true, place: String = ""
    ) throws(PruningError) -> FittedMap {
        precondition(x.layout == layout && y.layout == layout && x.width == width, "streams of another fitter")
        do throws(MapError) {
            guard y.width == width else { throw .widths(x: width, y: y.width) }
            try kind.check(count: tokenCount, width: width)
        } catch {
            throw .map(error, place: place)
        }
        let estimate = try transforming { () throws(TransformerError) in try gatherer.estimate(x: x, y: y) }
        for precision in precisions {
            let groups = try moments(x, y, estimate, precision, place)
            let folds =
                try hasIntercept
                ? groups.kept
                : computing { () throws(ComputeError) in
                    try groups.kept.map { moments throws(ComputeError) in try moments.aboutZero() }
                }
            do throws(MapError) {
                guard let map = try ValidatedMap.fit(folds: folds, kind: kind) else { continue }
                return try FittedMap(map, precision: precision, device: device)
            } catch {
                throw .map(error, place: place)
            }
        }
        // Moments of float64 always give a map.
        throw .map(.notFinite(what: "the \(kind) map"), place: place)
    }

    /// How moments are formed, and then again where that was not exact enough. Of few tokens they are formed exactly: that
    /// takes little, and float32 products would often not do.
    private var precisions: [MomentPrecision] {
        layout.tokenCount <= 32 * width ? [.float64] : [.float32Blocks, .float64]
    }

    private func moments(
        _ x: Stream, _ y: Stream, _ estimate: MomentEstimate, _ precision: MomentPrecision, _ place: String
    ) throws(PruningError) -> MomentGroups {
        var badRow: (row: Int, stream: String)?
        let groups = try transforming { () throws(TransformerError) in
            try gatherer.gather(x: x, y: y, estimate, precision: precision, gathersMasked: false) { rows, statistics in
                guard badRow == nil else { return }
                let bad = rows.indices.first { row in
                    let first = 4 * (row - rows.lowerBound)
                    return !(statistics[first].isFinite && statistics[first + 1].isFinite) && !isSkipped(row)
                }
                if let bad {
                    let entersFinite = statistics[4 * (bad - rows.lowerBound)].isFinite
                    badRow = (bad, entersFinite ? "the map is to give" : "enters the map")
                }
            }
        }
        guard let badRow else { return groups }
        let sequence = layout.sequence(ofRow: badRow.row)
        throw .nonFiniteRow(
            stream: badRow.stream, sequence: sequence, position: badRow.row - layout.offsets[sequence], place: place)
    }

    private func isSkipped(_ row: Int) -> Bool {
        row - layout.offsets[layout.sequence(ofRow: row)] < skippedTokenCount
    }
}
