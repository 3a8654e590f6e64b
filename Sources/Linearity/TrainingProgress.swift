/// How far a checkpoint was trained, as its name says it.
public struct TrainingProgress: Sendable, Hashable {
    /// Steps of the optimizer; nil where the name says nothing of them.
    public var step: Int?
    /// Tokens seen; nil where the name says nothing of them.
    public var tokenCount: Int?

    public init(step: Int? = nil, tokenCount: Int? = nil) {
        self.step = step
        self.tokenCount = tokenCount
    }

    /// Reads names as training runs give them: `step1000`, `global_step1000`, `checkpoint-1000`, `iter_0001000`, `1000`,
    /// `step-50K-105b`, `stage1-step1000-tokens4B`.
    public init(name: String) {
        self.init()
        let words = TrainingProgress.words(of: name)
        let place =
            TrainingProgress.step(in: words, after: ["step", "steps", "iter", "iteration"], endings: ["step"])
            ?? TrainingProgress.step(in: words, after: ["checkpoint", "ckpt"], endings: [])
        if let place {
            step = place.step
        } else if words == [name.lowercased()] {
            step = TrainingProgress.quantity(words[0], units: ["k", "m"], isWhole: true)
        }
        tokenCount = TrainingProgress.tokens(in: words, from: place?.end)
    }

    /// Reads the revision after `@`, or else the last component of a path, or else the folder that it is in.
    public init(path: String) {
        self.init()
        for component in path.split(separator: "/").suffix(2).reversed() {
            let name = component.split(separator: "@").last.map(String.init) ?? ""
            self = TrainingProgress(name: name.hasSuffix(".gguf") ? String(name.dropLast(5)) : name)
            if step != nil || tokenCount != nil { return }
        }
    }
}

// MARK: Words

extension TrainingProgress {
    /// The words of a name, in lower case; a dot between digits is one of a number.
    private static func words(of name: String) -> [String] {
        let letters = Array(name.lowercased())
        var words = [""]
        for (index, letter) in letters.enumerated() {
            let isPoint =
                letter == "." && index > 0 && index + 1 < letters.count && letters[index - 1].isDigit
                && letters[index + 1].isDigit
            if letter.isDigit || letter.isLetter || isPoint {
                words[words.count - 1].append(letter)
            } else {
                words.append("")
            }
        }
        return words.filter { !$0.isEmpty }
    }

    /// The number that follows one of these words, in the same word or the next, and the word after it.
    private static func step(
        in words: [String], after markers: [String], endings: [String]
    ) -> (step: Int, end: Int)? {
        for (index, word) in words.enumerated() {
            let letters = String(word.prefix { $0.isLetter })
            guard markers.contains(letters) || endings.contains(where: { letters.hasSuffix($0) }) else { continue }
            let rest = String(word.dropFirst(letters.count))
            let isAlone = rest.isEmpty
            guard !isAlone || index + 1 < words.count else { continue }
            if let step = quantity(isAlone ? words[index + 1] : rest, units: ["k", "m"], isWhole: true) {
                return (step, index + (isAlone ? 2 : 1))
            }
        }
        return nil
    }

    /// A number of tokens: with the word `tokens`, or after a step with a unit alone.
    private static func tokens(in words: [String], from end: Int?) -> Int? {
        let units = ["k", "m", "b", "t"]
        for (index, word) in words.enumerated() {
            if word == "tokens" || word == "tok" {
                let neighbours = [index + 1, index - 1].filter(words.indices.contains)
                for neighbour in neighbours {
                    if let count = quantity(words[neighbour], units: units, isWhole: false) { return count }
                }
            } else if word.hasPrefix("tokens"),
                let count = quantity(String(word.dropFirst(6)), units: units, isWhole: true)
            {
                return count
            } else if word.hasSuffix("tokens"),
                let count = quantity(String(word.dropLast(6)), units: units, isWhole: true)
            {
                return count
            }
        }
        guard let end else { return nil }
        for word in words[end...] {
            if let count = quantity(word, units: ["b", "t"], isWhole: false) { return count }
        }
        return nil
    }

    /// A number with one of these units, for instance `1431k`; nil where it is another word.
    ///
    /// - Parameter isWhole: Whether a number without a unit is one too.
    private static func quantity(_ word: String, units: [String], isWhole: Bool) -> Int? {
        let digits = word.prefix { $0.isDigit || $0 == "." }
        let unit = String(word.dropFirst(digits.count))
        guard !digits.isEmpty, digits.count <= 15, let number = Double(digits) else { return nil }
        guard !unit.isEmpty else { return isWhole && !digits.contains(".") ? Int(digits) : nil }
        guard units.contains(unit), let power = ["k", "m", "b", "t"].firstIndex(of: unit) else { return nil }
        let value = (0...power).reduce(number) { value, _ in value * 1000 }
        return value < 0x1p53 ? Int(value.rounded()) : nil
    }
}

extension Character {
    /// One of 0 to 9.
    fileprivate var isDigit: Bool { isASCII && isNumber }
}
