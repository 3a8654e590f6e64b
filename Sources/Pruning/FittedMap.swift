import Compute
public import LinearAlgebra
public import Transformers

/// A map of the stream that was fitted to tokens: y ≈ x + x·M + b.
public struct FittedMap: Sendable {
    /// With the alpha or K that was chosen.
    public let kind: MapKind
    /// Columns of the stream.
    public let width: Int
    /// M, (width, width) row-major, (inputs, outputs).
    public let matrix: [Double]
    /// (width).
    public let bias: [Double]
    /// Tokens that were fitted.
    public let tokenCount: Int
    public let inSample: MapScores
    /// Of maps of the same kind on tokens that they were not fitted to; nil where that is not defined. Where alpha or K was
    /// chosen by them they are a little too good.
    public let heldOut: MapScores?
    /// Why `heldOut` is nil; empty where it is not.
    public let heldOutReason: String
    /// What was tried where alpha or K was to be chosen.
    public let trials: [ValidatedMap.Trial]
    /// Numerical rank of the centred inputs; nil where the kind does not ask for it.
    public let rank: Int?
    /// Condition number of the centred and column-scaled inputs, for a ridge with its penalty; nil likewise.
    public let conditionNumber: Double?
    /// How the products of the moments were formed.
    public let precision: MomentPrecision

    /// What makes the map less certain than its scores look; nil where nothing does.
    public var warning: String? {
        guard kind != .diagonal, tokenCount <= 5 * width else { return nil }
        return "\(tokenCount) tokens for a \(kind) map of width \(width): it follows the tokens it was fitted to; "
            + "\(10 * width) are better"
    }

    /// The map as the engine applies it.
    public var map: LinearMap { LinearMap(matrix: matrix.map { Float($0) }, bias: bias.map { Float($0) }) }

    /// A = I + M of y ≈ x·A + b, (width, width) row-major, (inputs, outputs).
    public var outputMatrix: [Double] {
        var elements = matrix
        for column in 0..<width { elements[column * width + column] += 1 }
        return elements
    }

    /// - Throws: `MapError.notFinite` where float32 does not hold the map.
    init(_ map: ValidatedMap, precision: MomentPrecision, device: Device) throws(MapError) {
        let fit = map.fit
        do throws(ComputeError) { matrix = try device.doubles(of: fit.matrix) } catch { throw .compute(error) }
        bias = fit.bias
        let largest = Double(Float.greatestFiniteMagnitude)
        guard matrix.allSatisfy({ abs($0) <= largest }), bias.allSatisfy({ abs($0) <= largest }) else {
            throw .notFinite(what: "the \(fit.kind) map in float32")
        }
        kind = fit.kind
        width = fit.bias.count
        tokenCount = fit.count
        inSample = map.inSampleScores
        heldOut = map.heldOutScores
        heldOutReason = map.heldOutReason
        trials = map.trials
        rank = fit.rank
        conditionNumber = fit.conditionNumber
        self.precision = precision
    }
}
