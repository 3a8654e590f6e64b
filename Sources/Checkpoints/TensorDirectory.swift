import Tensors

/// The tensors of a checkpoint by name, in file order. Names are unique and ranges inside their files, by construction.
struct TensorDirectory: Sendable {
    /// What a file's header says of one tensor.
    struct Entry: Sendable {
        let name: String
        /// Outermost first.
        let shape: [Int]
        /// The format's own name of the type, for messages and counts.
        let typeName: String
        /// nil for a type that this engine does not read.
        let elementType: ElementType?
        let file: MappedFile
        /// From the start of `file`.
        let byteOffset: Int
        /// nil where the type is unknown, and so its size.
        let byteCount: Int?
        /// Where the tensor is a view of a record of an archive; else its bytes stand in the file.
        var view: StorageView?
        /// The bytes of a tensor that is in no file.
        var memory: HeapBytes?

        /// The product of the shape, which the formats' readers have checked for overflow.
        var elementCount: Int { shape.reduce(1, *) }
    }

    private(set) var entries: [Entry] = []
    private var indices: [ExactString: Int] = [:]

    func contains(_ name: String) -> Bool { indices[ExactString(name)] != nil }

    func entry(_ name: String) -> Entry? { indices[ExactString(name)].map { entries[$0] } }

    /// Makes room for entries, so that no more is taken than they need.
    mutating func reserveCapacity(_ count: Int) {
        entries.reserveCapacity(count)
        indices.reserveCapacity(count)
    }

    /// Appends an entry unless its name is taken; says whether it did.
    mutating func append(_ entry: Entry) -> Bool {
        guard indices.updateValue(entries.count, forKey: ExactString(entry.name)) == nil else { return false }
        entries.append(entry)
        return true
    }

    /// Puts an entry in the place of the one of its name, or behind all.
    mutating func put(_ entry: Entry) {
        if let index = indices[ExactString(entry.name)] {
            entries[index] = entry
        } else {
            _ = append(entry)
        }
    }

    /// The tensor of this name.
    ///
    /// - Parameter path: the checkpoint, for messages.
    func tensor(_ name: String, path: String) throws(CheckpointError) -> StoredTensor {
        let (entry, elementType, byteCount) = try readable(name, path: path)
        let (memory, byteOffset) = try entry.view?.read() ?? (entry.memory, entry.byteOffset)
        return StoredTensor(
            name: entry.name, shape: entry.shape, elementType: elementType, file: entry.file, byteOffset: byteOffset,
            byteCount: byteCount, memory: memory)
    }

    /// The entry of this name, once it is known that its tensor can be read.
    func readable(
        _ name: String, path: String
    ) throws(CheckpointError) -> (entry: Entry, elementType: ElementType, byteCount: Int) {
        guard let entry = entry(name) else {
            throw .tensorMissing(path: path, name: name, nearest: nearestNames(to: name))
        }
        guard let elementType = entry.elementType, let byteCount = entry.byteCount else {
            throw .unsupportedElementType(path: entry.file.path, name: name, type: entry.typeName)
        }
        if let view = entry.view, view.isExpanded {
            throw .expandedTensor(path: entry.file.path, name: name, shape: entry.shape)
        }
        return (entry, elementType, byteCount)
    }

    /// Two tensors of one file that share bytes, or nil.
    func overlap() -> (first: Entry, second: Entry)? {
        let ranges = entries.filter { ($0.byteCount ?? 0) > 0 }.sorted { $0.byteOffset < $1.byteOffset }
        for (first, second) in zip(ranges, ranges.dropFirst())
        where first.byteOffset + (first.byteCount ?? 0) > second.byteOffset {
            return (first, second)
        }
        return nil
    }
}

// MARK: - Shapes

extension TensorDirectory {
    /// The product of a shape, or nil where it does not fit `Int` or a length is negative.
    static func elementCount(of shape: [Int]) -> Int? {
        var count = 1
        for length in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflow else { return nil }
            count = product
        }
        return count
    }
}

// MARK: - Near misses

extension TensorDirectory {
    /// Names that differ little from `name`, at most three, the nearest first. Bounded work, whatever the file holds.
    private func nearestNames(to name: String) -> [String] {
        let wanted = Array(name.utf8)
        guard wanted.count <= 128 else { return [] }
        let limit = max(3, wanted.count / 3)
        let candidates = entries.lazy.filter { abs($0.name.utf8.count - wanted.count) <= limit }.prefix(2_000)
        return candidates.map { ($0.name, Self.editDistance(wanted, Array($0.name.utf8))) }
            .filter { $0.1 <= limit }.sorted { $0.1 < $1.1 }.prefix(3).map(\.0)
    }

    /// Levenshtein's distance: insertions, deletions and replacements of a byte.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
