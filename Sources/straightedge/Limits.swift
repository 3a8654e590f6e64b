import ArgumentParser

/// Numbers beyond which options make no sense, take unbounded time, or overflow.
enum Limits {
    static let foldCount = 100
    static let tokenCount = 1 << 40

    static func check(folds: Int) throws {
        guard (1...foldCount).contains(folds) else {
            throw ValidationError("--folds is a number from 1 to \(foldCount).")
        }
    }
}
