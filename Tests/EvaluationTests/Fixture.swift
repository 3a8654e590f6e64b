import Checkpoints
import Compute
import Evaluation
import Testing
import Transformers

/// A file beside the script that made it.
enum Fixture {
    static func path(_ name: String, file: String = #filePath) -> String {
        file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/Fixtures/\(name)"
    }

    static func text(_ name: String) throws -> [UInt8] {
        let file = try MappedFile(path(name))
        return unsafe Array(file.bytes)
    }

    /// A checkpoint of the forward pass's tests.
    static func model(_ name: String, file: String = #filePath) throws -> DecoderModel {
        let tests = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        return try DecoderModel(Checkpoint.open("\(tests)/TransformersTests/Fixtures/\(name)"))
    }

    /// What another implementation computed.
    static func expected() throws -> JSON { try JSON.parse(text("expected.json"), source: "expected.json") }

    /// The sequences that are scored.
    static func tokens() throws -> ScoredTokens {
        let sequences = try expected()["ids"]?.sequences ?? []
        return ScoredTokens(ids: sequences.flatMap(\.self), layout: SequenceLayout(lengths: sequences.map(\.count)))
    }
}

extension JSON {
    var sequences: [[Int32]] { array?.map { $0.array?.compactMap(\.integer).map { Int32($0) } ?? [] } ?? [] }

    func object(_ key: String) throws -> JSON { try #require(self[key], "\(key)") }
    func numbers(_ key: String) throws -> [Double] { try object(key).array?.compactMap(\.number) ?? [] }
    func counts(_ key: String) throws -> [Int] { try object(key).array?.compactMap(\.integer) ?? [] }
}

/// The figure is the expected one but for the rounding of float32, which logits of about 20 have.
func expect(
    _ estimate: Estimate, _ expected: JSON, _ key: String, tolerance: Double = 2e-6,
    _ location: SourceLocation = #_sourceLocation
) throws {
    let want = try #require(expected[key]?.number, sourceLocation: location)
    #expect(abs(estimate.value - want) <= tolerance * max(1, abs(want)), "\(key)", sourceLocation: location)
    let error = expected["\(key)_standard_error"]?.number
    #expect((error == nil) == (estimate.standardError.value == nil), "\(key)", sourceLocation: location)
    if let error, let got = estimate.standardError.value {
        #expect(
            abs(got - error) <= 10 * tolerance * max(1, abs(error)), "the error of \(key)", sourceLocation: location)
    }
}

/// Number by number.
func expect(
    _ got: [Double], _ want: [Double], _ name: String, tolerance: Double = 2e-6,
    _ location: SourceLocation = #_sourceLocation
) {
    #expect(got.count == want.count, "\(name)", sourceLocation: location)
    for (index, pair) in zip(got, want).enumerated() {
        #expect(
            abs(pair.0 - pair.1) <= tolerance * max(1, abs(pair.1)), "\(name)[\(index)]", sourceLocation: location)
    }
}
