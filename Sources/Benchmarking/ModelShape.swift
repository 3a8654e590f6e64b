public import Compute

/// The sizes of a known model, without its weights.
public struct ModelShape: Sendable, Hashable {
    /// As `--shape` names it.
    public let name: String
    public let layerCount: Int
    public let width: Int
    public let heads: AttentionHeads
    public let feedForwardWidth: Int
    /// Whether the model itself is of the LLaMA family; another one is measured with LLaMA's layer at its widths.
    public let isLlama: Bool

    /// Those that `--shape` knows.
    public static let known = [llama2With7B, llama3With8B, opt1B, opt7B, smolLM2With135M]

    public static func named(_ name: String) -> ModelShape? { known.first { $0.name == name } }

    /// Touvron et al. 2023.
    static let llama2With7B = ModelShape(
        name: "llama-2-7b", layerCount: 32, width: 4096,
        heads: AttentionHeads(queryCount: 32, keyCount: 32, width: 128), feedForwardWidth: 11008, isLlama: true)
    /// Grattafiori et al. 2024.
    static let llama3With8B = ModelShape(
        name: "llama-3-8b", layerCount: 32, width: 4096,
        heads: AttentionHeads(queryCount: 32, keyCount: 8, width: 128), feedForwardWidth: 14336, isLlama: true)
    /// Zhang et al. 2022.
    static let opt1B = ModelShape(
        name: "opt-1.3b", layerCount: 24, width: 2048,
        heads: AttentionHeads(queryCount: 32, keyCount: 32, width: 64), feedForwardWidth: 8192, isLlama: false)
    static let opt7B = ModelShape(
        name: "opt-6.7b", layerCount: 32, width: 4096,
        heads: AttentionHeads(queryCount: 32, keyCount: 32, width: 128), feedForwardWidth: 16384, isLlama: false)
    /// Ben Allal et al. 2025.
    static let smolLM2With135M = ModelShape(
        name: "smollm2-135m", layerCount: 30, width: 576,
        heads: AttentionHeads(queryCount: 9, keyCount: 3, width: 64), feedForwardWidth: 1536, isLlama: true)
    /// For the emulation and for tests.
    static let tiny = ModelShape(
        name: "tiny", layerCount: 2, width: 64, heads: AttentionHeads(queryCount: 4, keyCount: 2, width: 16),
        feedForwardWidth: 160, isLlama: true)
}
