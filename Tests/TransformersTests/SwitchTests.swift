import Checkpoints
import Compute
import Testing

@testable import Transformers

/// A plan whose switch stands wrong must be far from Hugging Face's numbers: else the fixtures would not see that a
/// family file sets it wrong.
@Suite("Each switch of a plan shows")
struct SwitchTests {
    /// A hundred times the tolerance of `FamilyTests`.
    private static let visible = 2e-3

    @Test("turned, it shows in the hidden states or the logits", arguments: PlanSwitch.all)
    func shows(turned: PlanSwitch) throws {
        let fixture = try FamilyFixture.named(turned.fixture)
        var model = try fixture.model()
        let plan = model.plan
        turned.turn(&model.plan)
        #expect(model.plan != plan, "the fixture has nothing to turn")
        let differences = try fixture.differences(model, .host())
        let largest = differences.map(\.difference).max() ?? 0
        #expect(largest > Self.visible)
    }
}

/// One switch, the fixture that has it, and what turning it wrongly is.
struct PlanSwitch: Sendable, CustomTestStringConvertible {
    let name: String
    let fixture: String
    let turn: @Sendable (inout DecoderPlan) -> Void

    init(_ name: String, _ fixture: String, _ turn: @escaping @Sendable (inout DecoderPlan) -> Void) {
        (self.name, self.fixture, self.turn) = (name, fixture, turn)
    }

    var testDescription: String { "\(name) of \(fixture)" }

    static let all: [PlanSwitch] = outer + norms + attention + positions + biases + activations

    private static let outer = [
        PlanSwitch("embedding scale", "gemma/plain") { $0.embedding.scale = 1 },
        PlanSwitch("embedding scale", "granite/multipliers") { $0.embedding.scale = 1 },
        PlanSwitch("embedding norm", "bloom/four-heads") { $0.embedding.norm = nil },
        PlanSwitch("row of the first position", "opt/before") { $0.embedding.learnedPositionOffset = 0 },
        PlanSwitch("final norm", "opt/before") { $0.hasFinalNorm = false },
        PlanSwitch("residual scale", "granite/multipliers") { $0.residualScale = 1 },
        PlanSwitch("parallel residual", "gpt_neox/parallel") { $0.residual = .sequential },
        PlanSwitch("sequential residual", "gpt_neox/sequential") { $0.residual = .parallel },
        PlanSwitch("parallel residual", "gptj/partial") { $0.residual = .sequential },
        PlanSwitch("logit scale", "cohere/plain") { $0.logitScale = 1 },
        PlanSwitch("logit scale", "granite/multipliers") { $0.logitScale = 1 },
        PlanSwitch("logit soft cap", "gemma2/capped") { $0.logitSoftCap = nil },
    ]

    private static let norms = [
        PlanSwitch("kind of layer norms", "gpt2/tied") { $0.norm.kind = .rootMeanSquare },
        PlanSwitch("kind of norms", "llama/linear") { $0.norm.kind = .layer },
        PlanSwitch("kind of norms without weights", "olmo/unclipped") { $0.norm.kind = .rootMeanSquare },
        PlanSwitch("epsilon", "llama/linear") { $0.norm.epsilon = 0.1 },
        PlanSwitch("weights", "llama/linear") { $0.norm.hasWeight = false },
        PlanSwitch("biases of norms", "gpt_neox/parallel") { $0.norm.hasBias = false },
        PlanSwitch("offset of weights", "gemma/plain") { $0.norm.weightOffset = 0 },
        PlanSwitch("norms on both sides", "gemma2/uncapped") { $0.normPlacement = .before },
        PlanSwitch("norms behind", "olmo2/plain") { $0.normPlacement = .before },
        PlanSwitch("norms behind residual sums", "opt/after") { $0.normPlacement = .after },
        PlanSwitch("norm of queries and keys", "qwen3/plain") { $0.queryKeyNorm = nil },
        PlanSwitch("norm of all queries", "olmo2/plain") { $0.queryKeyNorm = nil },
        PlanSwitch("norm with own weights", "cohere/norms") { $0.queryKeyNorm = nil },
        PlanSwitch("kind of the heads' norm", "cohere/norms") { $0.queryKeyNorm?.norm.kind = .rootMeanSquare },
        PlanSwitch("bias of the heads' norm", "phi/norms") { $0.queryKeyNorm?.norm.hasBias = false },
    ]

    private static let attention = [
        PlanSwitch("attention scale", "gemma2/capped") { $0.turnLayers { $0.attention.scale *= 1.1 } },
        PlanSwitch("attention scale of a layer", "gpt2/untied") {
            $0.layers[1].attention.scale = $0.layers[0].attention.scale
        },
        PlanSwitch("attention soft cap", "gemma2/capped") { $0.turnLayers { $0.attention.softCap = nil } },
        PlanSwitch("no window", "mistral/window") { $0.turnLayers { $0.attention.window = nil } },
        PlanSwitch("a window wider by one", "mistral/window") {
            $0.turnLayers { $0.attention.window = $0.attention.window.map { $0 + 1 } }
        },
        PlanSwitch("windowed layers", "gemma2/capped") {
            $0.layers.swapAt(0, 1)
        },
        PlanSwitch("slopes", "bloom/four-heads") { $0.turnLayers { $0.attention.slopes = [] } },
        PlanSwitch("slopes of further heads", "bloom/six-heads") {
            $0.turnLayers { $0.attention.slopes.swapAt(4, 5) }
        },
        PlanSwitch("bound of queries, keys and values", "olmo/clipped") { $0.queryKeyValueLimit = nil },
    ]

    private static let positions = [
        PlanSwitch("no rotation", "llama/linear") { $0.turnLayers { $0.rotary = nil } },
        PlanSwitch("rotation of a layer without", "smollm3/plain") { $0.turnLayers { $0.rotary = 0 } },
        PlanSwitch("rotary base", "gpt_neox/parallel") { $0.rotaries[0].base *= 2 },
        PlanSwitch("rotary width", "gpt_neox/parallel") { $0.rotaries[0].width = $0.heads.width },
        PlanSwitch("layout of halves", "llama/linear") { $0.rotaries[0].layout = .interleaved },
        PlanSwitch("interleaved layout", "gptj/partial") { $0.rotaries[0].layout = .halves },
        PlanSwitch("linear scaling", "llama/linear") { $0.rotaries[0].scaling = .none },
        PlanSwitch("dynamic scaling", "llama/dynamic") { $0.rotaries[0].scaling = .none },
        PlanSwitch("scaling of LLaMA 3", "llama/llama3") { $0.rotaries[0].scaling = .none },
        PlanSwitch("scaling by YaRN", "llama/yarn") { $0.rotaries[0].scaling = .none },
        PlanSwitch("divisors", "phi3/longrope") { $0.rotaries[0].scaling = .none },
        PlanSwitch("long divisors", "phi3/longrope") {
            guard case .longRope(let short, _, let original, let factor) = $0.rotaries[0].scaling else { return }
            $0.rotaries[0].scaling = .longRope(
                short: short, long: short, originalPositions: original, attentionFactor: factor)
        },
        PlanSwitch("attention factor", "phi3/longrope") {
            guard case .longRope(let short, let long, let original, _) = $0.rotaries[0].scaling else { return }
            $0.rotaries[0].scaling = .longRope(
                short: short, long: long, originalPositions: original, attentionFactor: 1)
        },
        PlanSwitch("bases of local and global layers", "gemma3_text/six-layers") { $0.rotaries.swapAt(0, 1) },
    ]

    private static let biases = [
        PlanSwitch("biases of queries, keys, values", "qwen2/plain") { $0.biases.remove(.queryKeyValue) },
        PlanSwitch("biases of queries, keys, values", "gpt2/tied") { $0.biases.remove(.queryKeyValue) },
        PlanSwitch("bias of attention's output", "gpt_neox/parallel") { $0.biases.remove(.attentionOutput) },
        PlanSwitch("scaled bias of attention's output", "granite/biases") { $0.biases.remove(.attentionOutput) },
        PlanSwitch("biases of the MLP's input", "opt/before") { $0.biases.remove(.feedForwardInput) },
        PlanSwitch("bias of the MLP's output", "starcoder2/window") { $0.biases.remove(.feedForwardOutput) },
        PlanSwitch("bias of the head", "phi/plain") { $0.biases.remove(.head) },
    ]

    private static let activations = [
        PlanSwitch("exact GELU", "gpt_neox/parallel") { $0.feedForward.activation = .quickGELU },
        PlanSwitch("ReLU", "opt/before") { $0.feedForward.activation = .gelu },
        PlanSwitch("SiLU", "llama/linear") { $0.feedForward.activation = .gelu },
        PlanSwitch("tanh GELU", "gemma/plain") { $0.feedForward.activation = .silu },
    ]
}

extension DecoderPlan {
    fileprivate mutating func turnLayers(_ turn: (inout Layer) -> Void) {
        for index in layers.indices { turn(&layers[index]) }
    }
}
