import Checkpoints
import Compute
import Linearity
import Testing

/// One pair of matrices of the fixtures, and what a comparison of them has to give.
struct EmbeddingPair {
    let name: String
    let x: StoredMatrix
    let y: StoredMatrix
    private let expected: JSON

    var testDescription: String { name }

    static let names = [
        "random", "narrower", "wider", "width_1_to_1", "width_1_to_7", "width_7_to_1", "barely_enough",
        "rank_deficient", "repeated", "constant_columns", "offset", "ill_conditioned", "graded", "reflection",
        "unchanged", "small_contribution", "few_bits",
    ]

    init(_ name: String, from source: StaticString = #filePath) throws {
        let folder = "/" + "\(source)".split(separator: "/").dropLast().joined(separator: "/") + "/Fixtures/"
        self.name = name
        x = try StoredMatrix(folder + "embeddings.safetensors", name: "\(name).x")
        y = try StoredMatrix(folder + "embeddings.safetensors", name: "\(name).y")
        expected = try JSON.read(folder + "embeddings.json")[name] ?? .null
    }

    /// An expected figure; nil where it is undefined.
    func number(_ keys: String...) -> Double? {
        var value: JSON? = expected
        for key in keys { value = value?[key] }
        return value?.number
    }

    func numbers(_ key: String) -> [Double]? { expected[key]?.array?.compactMap(\.number) }

    func compare(
        _ method: EmbeddingComparison.Method, laneCount: Int = 2,
        _ change: (inout EmbeddingComparison.Settings) -> Void = { _ in }
    ) throws -> EmbeddingComparison.Result {
        var settings = EmbeddingComparison.Settings()
        settings.method = method
        settings.keepsMap = true
        change(&settings)
        return try EmbeddingComparison(x: x, y: y, device: .host(laneCount: laneCount), settings: settings).run()
    }
}
