import Compute
import Linearity
import Testing

/// Comparisons of two matrices give what exact arithmetic gives.
@Suite struct EmbeddingTests {
    typealias Method = EmbeddingComparison.Method

    /// What rounding may do to a score. Float32 numbers are multiplied in float32 by the Gram method.
    private func tolerance(_ pair: EmbeddingPair, _ method: Method) -> Double {
        switch (pair.name, method) {
        // Half of ε of numbers of 2³⁰ that vary by 1.
        case ("offset", _): 1e-6
        // ε times the condition number is 5e-4, and its square and a share of the rows come to a score.
        case ("ill_conditioned", .svd): 1e-7
        case (_, .svd): 1e-13
        case (_, .gram): pair.x.elementType == .float64 || pair.y.elementType == .float64 ? 1e-11 : 1e-6
        }
    }

    @Test(arguments: EmbeddingPair.names, Method.allCases)
    func figuresMatchExactArithmetic(_ name: String, _ method: Method) throws {
        // The Gram matrix does not resolve this one, and says so.
        if name == "ill_conditioned", method == .gram { return }
        let pair = try EmbeddingPair(name)
        let result = try pair.compare(method)
        let (figures, tolerance) = (result.figures, tolerance(pair, method))
        func compare(_ figure: Figure, _ want: Double?, _ what: String, relative: Bool = false) {
            guard let want else { return #expect(figure.value == nil, "\(what) is \(figure)") }
            let got = figure.value ?? .nan
            let limit = tolerance * (relative ? abs(want) : 1)
            #expect(abs(got - want) <= limit, "\(what): \(got), not \(want): \(abs(got - want))")
        }
        compare(figures.linearity, pair.number("with", "fit"), "linearity")
        compare(figures.linearityHeldOut, pair.number("with", "held_out"), "held-out linearity")
        compare(figures.linearityHeldOutStandardError, pair.number("with", "standard_error"), "its standard error")
        compare(figures.linearityWithoutResidual, pair.number("without", "fit"), "linearity without residual")
        compare(figures.linearityWithoutResidualHeldOut, pair.number("without", "held_out"), "the same held out")
        compare(figures.rank, pair.number("rank"), "rank")
        let condition = pair.number("condition_number")
        // Of moments it is squared; of singular values, once.
        let lost = max(1, (condition ?? 1) / (method == .svd ? 100 : 1))
        #expect(
            abs((figures.conditionNumber.value ?? .nan) - (condition ?? 0)) <= tolerance * lost * (condition ?? 0),
            "condition number \(figures.conditionNumber)")
        compare(figures.anisotropy, pair.number("anisotropy"), "anisotropy")
        compare(figures.orthogonalProcrustes, pair.number("orthogonal_procrustes"), "orthogonal Procrustes")
        compare(result.linearCKA, pair.number("linear_cka"), "linear CKA")
        compare(result.modifiedRV, pair.number("rv_modified"), "modified RV")
        compare(figures.streamNormMean, pair.number("stream_norm_mean"), "mean norm", relative: true)
        compare(figures.contribution.mean, pair.number("contribution_mean"), "contribution", relative: true)
        compare(figures.cosine.mean, pair.number("cosine_mean"), "cosine")
    }

    @Test(arguments: ["random", "narrower", "wider", "width_7_to_1", "offset", "graded", "few_bits"], Method.allCases)
    func mapsTakeRowsOfXToThoseOfY(_ name: String, _ method: Method) throws {
        let pair = try EmbeddingPair(name)
        let map = try #require(try pair.compare(method).map)
        let (want, bias) = (try #require(pair.numbers("map")), try #require(pair.numbers("bias")))
        let scale = want.map(abs).max() ?? 0
        // The bias is a difference of large products where the rows lie far from the origin.
        let biasScale = max(scale, bias.map(abs).max() ?? 0) * (name == "offset" ? 0x1p30 : 1)
        let tolerance = 10 * tolerance(pair, method)
        #expect(map.map.count == want.count && map.bias.count == bias.count)
        #expect(zip(map.map, want).allSatisfy { abs($0 - $1) <= tolerance * scale })
        #expect(zip(map.bias, bias).allSatisfy { abs($0 - $1) <= tolerance * biasScale })
    }

    /// Y is X with its columns turned in a cycle of odd sign, four times as large, and moved.
    @Test(arguments: Method.allCases) func reflectionIsFound(_ method: Method) throws {
        let pair = try EmbeddingPair("reflection")
        let width = pair.x.columnCount
        let orthogonal = try #require(try pair.compare(method).map?.orthogonal)
        #expect(abs(orthogonal.scale - 4) < 1e-6)
        for row in 0..<width {
            let sign = row == 9 || row == 0 ? -1.0 : 1
            for column in 0..<width {
                let want = column == (row + 1) % width ? sign : 0
                #expect(abs(orthogonal.rotation[row * width + column] - want) < 1e-6)
            }
        }
        #expect(orthogonal.offset.allSatisfy { abs($0 - 3) < 1e-5 })
    }

    @Test func gramMethodSaysWhatItDoesNotResolve() throws {
        let pair = try EmbeddingPair("ill_conditioned")
        let gram = try pair.compare(.gram)
        #expect(gram.figures.rank.value == 9)
        let warning = try #require(gram.warnings.first)
        #expect(warning.contains("rank 9"))
        #expect(warning.contains("\(try #require(gram.figures.rankCutoff.value))"))
        #expect(warning.contains("--method svd"))
        #expect(try pair.compare(.svd).warnings.isEmpty)
    }

    @Test(arguments: Method.allCases) func differentWidthsHaveNoContribution(_ method: Method) throws {
        let figures = try EmbeddingPair("narrower").compare(method).figures
        for figure in [figures.orthogonalProcrustes, figures.linearityWithoutResidual, figures.cosine.mean] {
            #expect(figure.reason?.contains("equal widths") == true)
        }
        #expect(figures.linearityHeldOut.value != nil)
    }

    @Test(arguments: ["random", "offset", "wider"], Method.allCases)
    func numbersOfLanesChangeNoBit(_ name: String, _ method: Method) throws {
        let pair = try EmbeddingPair(name)
        let results = try [1, 2, 3].map { try pair.compare(method, laneCount: $0) }
        for result in results {
            #expect(result.figures.linearityHeldOut.value == results[0].figures.linearityHeldOut.value)
            #expect(result.linearCKA.value == results[0].linearCKA.value)
            #expect(result.map?.map == results[0].map?.map)
        }
    }

    @Test(arguments: Method.allCases) func oneFoldHasNoHeldOutScore(_ method: Method) throws {
        let result = try EmbeddingPair("random").compare(method) { $0.foldCount = 1 }
        #expect(result.figures.linearityHeldOut.reason == "held-out scores need at least 2 folds")
        #expect(result.figures.linearity.value != nil)
    }

    @Test func matricesThatDoNotBelongTogetherAreRefused() throws {
        let (long, short) = (try EmbeddingPair("random"), try EmbeddingPair("barely_enough"))
        let error = #expect(throws: LinearityError.self) {
            _ = try EmbeddingComparison(x: long.x, y: short.y, device: .host(laneCount: 1), settings: .init())
        }
        #expect(error?.description.contains("120 rows") == true)
        #expect(error?.description.contains("34") == true)
    }

    @Test(arguments: Method.allCases) func tooLittleMemoryIsRefusedBeforeAnythingIsRead(_ method: Method) throws {
        let error = #expect(throws: LinearityError.self) {
            _ = try EmbeddingPair("random").compare(method) { $0.memoryByteCount = 1000 }
        }
        guard case .comparisonMemory(let needed, 1000) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(needed > 1000)
    }
}
