/// The steps of a part of a tokenizer.json: null, one step, or a Sequence of steps and sequences.
struct JSONSteps {
    /// What a Sequence has its steps in.
    let members: String

    /// Far beyond those of real files.
    private static let countLimit = 32
    /// The place of a step in a message has a part for each.
    private static let depthLimit = 8

    /// - Parameter place: nil where there is no such part.
    func list<Step>(
        _ place: JSONPlace?, _ read: (JSONPlace) throws(TokenizerError) -> Step
    ) throws(TokenizerError) -> [Step] {
        var steps: [Step] = []
        if let place { try append(place, depth: 0, to: &steps, read) }
        return steps
    }

    private func append<Step>(
        _ place: JSONPlace, depth: Int, to steps: inout [Step], _ read: (JSONPlace) throws(TokenizerError) -> Step
    ) throws(TokenizerError) {
        guard try place.type == "Sequence" else {
            guard steps.count < Self.countLimit else {
                throw place.unsupported(
                    "more than \(Self.countLimit) steps", known: ["up to \(Self.countLimit) steps"])
            }
            steps.append(try read(place))
            return
        }
        guard depth < Self.depthLimit else {
            throw place.unsupported(
                "more than \(Self.depthLimit) sequences inside each other", known: ["a sequence of steps"])
        }
        try place.refuseMembers(except: ["type", members])
        for step in try place.required(members).elements { try append(step, depth: depth + 1, to: &steps, read) }
    }
}
