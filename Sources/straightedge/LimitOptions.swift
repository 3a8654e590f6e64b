import ArgumentParser
import Reports

/// What a pruned model may lose before it is refused.
struct LimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "End with code 2 and keep no model where the perplexity rises by more, for instance 5%.", valueName: "share"
        ),
        transform: { try Share($0) })
    var maxPerplexityIncrease: Share?

    @Option(help: ArgumentHelp("The same for the KL divergence, in nats a token.", valueName: "nats"))
    var maxDivergence: Double?

    @Option(
        help: ArgumentHelp(
            "The same where fewer of the likeliest tokens stay the same, for instance 80%.", valueName: "share"),
        transform: { try Share($0) })
    var minAgreement: Share?

    @Flag(help: "Keep a model that is beyond the limits; the exit code tells of it nonetheless.")
    var keepAnyway = false

    func validate() throws {
        if let maxDivergence, !(maxDivergence >= 0) { throw ValidationError("--max-divergence must not be negative.") }
        if let minAgreement, minAgreement.value > 1 { throw ValidationError("--min-agreement is at most 100%.") }
        if keepAnyway, maxPerplexityIncrease == nil, maxDivergence == nil, minAgreement == nil {
            throw ValidationError(
                "--keep-anyway is for models beyond a limit: give one, such as --max-perplexity-increase 5%.")
        }
    }

    var limits: PruningLimits {
        var limits = PruningLimits()
        limits.perplexityIncrease = maxPerplexityIncrease?.value
        limits.divergence = maxDivergence
        limits.agreement = minAgreement?.value
        return limits
    }
}

/// A share as people type it: 5% or 0.05. What could be either, such as 5, is neither.
struct Share {
    let value: Double

    init(_ text: String) throws {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(isPercent ? String(text.dropLast()) : text), number >= 0, number.isFinite,
            isPercent || number < 1
        else {
            throw ValidationError("\(text) is not a share: write 5% or 0.05.")
        }
        value = isPercent ? number / 100 : number
    }
}
