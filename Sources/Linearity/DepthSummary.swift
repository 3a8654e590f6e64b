/// A figure over the layers of one run in a few numbers.
public struct DepthSummary: Sendable, Hashable {
    /// Of all layers that have the figure.
    public let mean: Double
    public let smallest: Extreme
    public let largest: Extreme
    /// Change of the figure from the first layer to the last, by linear regression over normalized depth; nil for one
    /// layer.
    public let slope: Double?

    /// A layer and its figure.
    public struct Extreme: Sendable, Hashable {
        public let layer: Int
        public let value: Double

        public init(layer: Int, value: Double) {
            self.layer = layer
            self.value = value
        }
    }

    /// - Parameters:
    ///   - layers: Numbers of the layers.
    ///   - layerCount: Layers of the model.
    ///   - values: The figure of each; nil where a layer has none.
    /// - Returns: nil where no layer has the figure.
    public init?(layers: [Int], of layerCount: Int, values: [Double?]) {
        let points = zip(layers, values).compactMap { layer, value in value.map { Extreme(layer: layer, value: $0) } }
        guard let smallest = points.min(by: { $0.value < $1.value }),
            let largest = points.max(by: { $0.value < $1.value })
        else { return nil }
        self.smallest = smallest
        self.largest = largest
        mean = DepthSummary.mean(points.map(\.value))
        slope = DepthSummary.slope(
            points.map { DepthSummary.depth($0.layer, of: layerCount) }, points.map(\.value))
    }

    /// Normalized depth of a layer: 0 for the first, 1 for the last.
    public static func depth(_ layer: Int, of layerCount: Int) -> Double {
        layerCount > 1 ? Double(layer) / Double(layerCount - 1) : 0
    }

    private static func mean(_ values: [Double]) -> Double {
        // Divided first: hostile values must not overflow.
        values.reduce(0) { $0 + $1 / Double(values.count) }
    }

    /// Σ(x - x̄)(y - ȳ) / Σ(x - x̄)².
    private static func slope(_ x: [Double], _ y: [Double]) -> Double? {
        let (meanX, meanY) = (mean(x), mean(y))
        let scatter = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
        let product = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
        guard scatter > 0, (product / scatter).isFinite else { return nil }
        return product / scatter
    }
}
