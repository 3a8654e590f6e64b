extension String {
    /// The string in quotes for a message; see `legible`.
    package var quoted: String { "\"\(legible)\"" }

    /// The string for a message: names come from files, so a long one is cut and control characters, which could steer
    /// a terminal, are spelled out.
    package var legible: String {
        let limit = 100
        var text = ""
        for scalar in unicodeScalars.prefix(limit) {
            text += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return unicodeScalars.dropFirst(limit).isEmpty ? text : text + "…"
    }
}
