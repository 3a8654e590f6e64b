import Checkpoints
import Compute
import Evaluation
import Linearity
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Plans choose the layers that are missed least")
struct PlannerTests {
    private func settings(_ change: (inout Planner.Settings) -> Void) -> Planner.Settings {
        var settings = Planner.Settings()
        change(&settings)
        return settings
    }

    @Test(
        "the damage of a candidate is that of the model without it",
        arguments: [
            "llama/linear", "gpt2/tied", "gptj/partial", "opt/before", "granite/multipliers", "qwen2/layer-types",
        ], TestDevice.available)
    func damage(name: String, on testDevice: TestDevice) throws {
        let fixture = try PruningFixture(name, device: testDevice.open())
        let planner = Planner(
            model: fixture.model, device: fixture.device,
            settings: settings {
                $0.mode = .merge
                $0.measuresDamage = true
            })
        let plan = try planner.run(fixture.corpus)
        let judge = try ModelJudge(fixture.model, device: fixture.device, tokens: fixture.corpus.heldOut)
        #expect(plan.crossEntropy == judge.base.crossEntropy.value)
        for candidate in plan.candidates {
            let layers = try CutLayers([candidate.layers], layerCount: fixture.model.plan.layerCount)
            for mode in PruningMode.allCases {
                let result = try fixture.pruner(mode).run(layers, tokens: fixture.corpus.fit)
                let judgement = try judge.judge(fixture.model.applying(result.edit))
                let damage = try #require(candidate.damage[mode], "\(mode) \(candidate.layers)")
                #expect(abs(damage.crossEntropy - judgement.evaluation.crossEntropy.value) < 2e-5, "\(mode)")
                #expect(abs(damage.divergence - judgement.divergence.value) < 2e-5, "\(mode)")
                #expect(damage.agreement == judgement.agreement.value, "\(mode)")
            }
        }
    }

    @Test("little memory makes more groups of candidates, and no other figures")
    func groups() throws {
        let fixture = try PruningFixture("smollm3/plain")
        let settings = settings { $0.mode = .remove }
        func plan(_ memory: Int?) throws -> PruningPlan {
            try Planner(
                model: fixture.model, device: fixture.device, settings: settings, memoryByteCount: memory
            ).run(fixture.corpus)
        }
        let candidates = (0..<fixture.model.plan.layerCount).map { $0..<$0 + 1 }
        func survey(_ memory: Int?) -> Survey {
            Survey(
                model: fixture.model, device: fixture.device, corpus: fixture.corpus, candidates: candidates,
                modes: [.remove, .replace], fit: FitSettings(), computeType: .f32, memoryByteCount: memory)
        }
        let large = try SurveyMemory(survey(nil))
        // So much that one candidate is measured at a time.
        let least = large.plan.byteCount
        let small = try SurveyMemory(survey(least))
        #expect(large.branchCount == 2 * candidates.count && small.branchCount == 2)
        let (one, other) = (try plan(nil), try plan(least))
        #expect(one.candidates.map(\.damage) == other.candidates.map(\.damage))
        #expect(one.candidates.map(\.scores) == other.candidates.map(\.scores))
        #expect(one.crossEntropy == other.crossEntropy)
    }

    @Test("each criterion puts its own figure first", arguments: Criterion.allCases)
    func criteria(criterion: Criterion) throws {
        func candidate(_ layer: Int, good: Bool, loss: Double) -> Candidate {
            let absent = LayerFigures(n: 1, momentPrecision: "float64", absentReason: "a test")
            var scores = Candidate.Scores(all: absent, rest: absent)
            scores.linearity = .value(good ? 0.9 : 0.5)
            scores.heldOutLinearity = .value(good ? 0.8 : 0.4)
            scores.contribution = .value(good ? 0.1 : 0.5)
            scores.cosine = .value(good ? 0.99 : 0.7)
            scores.angularDistance = .value(good ? 0.01 : 0.3)
            var candidate = Candidate(layers: layer..<layer + 1, scores: scores)
            candidate.damage[.remove] = Damage(crossEntropy: loss, divergence: 0, agreement: 1)
            return candidate
        }
        let costs = criterion.costs(
            of: [candidate(0, good: false, loss: 3), candidate(1, good: true, loss: 2)], mode: .remove)
        #expect(try #require(costs[1]) < #require(costs[0]))
        // Without figures of its own a candidate is not chosen by them.
        if criterion.needsDamage {
            #expect(criterion.costs(of: [candidate(0, good: true, loss: 1)], mode: .merge) == [nil])
        }
    }

    @Test("blocks are whole, do not overlap, and leave protected layers")
    func blocks() throws {
        let fixture = try PruningFixture("gemma3_text/six-layers")
        let plan = try Planner(
            model: fixture.model, device: fixture.device,
            settings: settings {
                $0.criterion = .cosine
                $0.dropCount = 4
                $0.blockSize = 2
                $0.protectedFirstCount = 1
                $0.protectedLastCount = 1
                $0.measuresDamage = false
            }
        ).run(fixture.corpus)
        #expect(plan.layers.cut == [1, 2, 3, 4])
        #expect(Set(plan.choices.map(\.layers)) == [1..<3, 3..<5])
        #expect(plan.candidates.map(\.layers) == [1..<3, 2..<4, 3..<5])
        #expect(plan.candidates.allSatisfy { $0.damage.isEmpty } && plan.crossEntropy == nil)
    }

    @Test("a cheap block is passed over where it leaves no room for the others", arguments: [false, true])
    func blocksThatFit(isGreedy: Bool) throws {
        let fixture = try PruningFixture("gemma3_text/six-layers")
        for (first, last) in [(0, 2), (2, 0)] {
            let plan = try Planner(
                model: fixture.model, device: fixture.device,
                settings: settings {
                    $0.criterion = .cosine
                    $0.dropCount = 4
                    $0.blockSize = 2
                    ($0.protectedFirstCount, $0.protectedLastCount) = (first, last)
                    $0.measuresDamage = false
                    $0.isGreedy = isGreedy
                }
            ).run(fixture.corpus)
            #expect(plan.layers.cut == Array(first..<first + 4))
        }
    }

    @Test("greedy choices are made on the model as it is cut", arguments: PruningMode.allCases)
    func greedy(mode: PruningMode) throws {
        let fixture = try PruningFixture("smollm3/plain")
        let plan = try Planner(
            model: fixture.model, device: fixture.device,
            settings: settings {
                $0.mode = mode
                $0.dropCount = 2
                $0.isGreedy = true
                $0.protectedFirstCount = 1
            }
        ).run(fixture.corpus)
        #expect(plan.choices.count == 2)
        // The last choice's cost is the loss of the model with both cut.
        let result = try fixture.pruner(mode).run(plan.layers, tokens: fixture.corpus.fit)
        let judge = try ModelJudge(fixture.model, device: fixture.device, tokens: fixture.corpus.heldOut)
        let loss = try judge.judge(fixture.model.applying(result.edit)).evaluation.crossEntropy.value
        // Maps were judged one by one, each fitted to the cut model's own stream.
        #expect(abs(plan.choices[1].cost - loss) < (mode == .remove ? 1e-4 : 0.3))
    }

    @Test("what cannot be chosen is refused")
    func refusals() throws {
        let fixture = try PruningFixture("llama/linear")
        func expect(_ part: String, _ change: (inout Planner.Settings) -> Void) throws {
            let planner = Planner(model: fixture.model, device: fixture.device, settings: settings(change))
            let error = #expect(throws: PruningError.self) { try planner.run(fixture.corpus) }
            #expect("\(try #require(error))".contains(part))
        }
        let layerCount = fixture.model.plan.layerCount
        try expect("keep at least one") { $0.dropCount = layerCount }
        try expect("only 0") { $0.protectedFirstCount = layerCount }
        try expect("multiple") { $0.blockSize = 2 }
        let gemma = try PruningFixture("gemma2/capped")
        let planner = Planner(
            model: gemma.model, device: gemma.device, settings: settings { $0.mode = .merge })
        let error = #expect(throws: PruningError.self) { try planner.run(gemma.corpus) }
        #expect("\(try #require(error))".contains("norm stands behind"))
        #expect(throws: PruningError.self) { try CalibrationCorpus([[1, 2, 3]], heldOutTokenCount: 1) }
    }
}
