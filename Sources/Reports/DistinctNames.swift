/// Names that tell things apart: each as short as it can be.
enum DistinctNames {
    /// Chooses one name for each thing.
    ///
    /// - Parameters:
    ///   - candidates: For each thing its names, the shortest first; not empty.
    ///   - taken: Names that none may have.
    /// - Returns: For each thing the first of its names that no other has; where all are shared, with a number behind.
    static func choose(_ candidates: [[String]], taken: Set<String> = []) -> [String] {
        var levels = [Int](repeating: 0, count: candidates.count)
        while true {
            let names = zip(candidates, levels).map { $0[$1] }
            let groups = Dictionary(grouping: names.indices) { names[$0] }
            // Where a name is shared, all that share it take their next.
            let longer = groups.filter { $1.count > 1 || taken.contains($0) }.values.joined()
                .filter { levels[$0] + 1 < candidates[$0].count }
            if longer.isEmpty { return numbered(names, taken) }
            for index in longer { levels[index] += 1 }
        }
    }

    private static func numbered(_ names: [String], _ taken: Set<String>) -> [String] {
        var given = taken
        // Those that are alone keep their names.
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        given.formUnion(counts.filter { $1 == 1 }.keys)
        return names.map { name in
            if counts[name] == 1, !taken.contains(name) { return name }
            var (number, candidate) = (1, name)
            while given.contains(candidate) { (number, candidate) = (number + 1, "\(name) (\(number + 1))") }
            given.insert(candidate)
            return candidate
        }
    }
}
