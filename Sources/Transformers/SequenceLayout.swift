/// Ragged sequences packed one after another, without padding.
public struct SequenceLayout: Sendable, Hashable {
    /// Tokens of each sequence.
    public let lengths: [Int]
    /// Where each sequence begins in the packed rows, and the total: lengths.count + 1 numbers.
    public let offsets: [Int]

    public init(lengths: [Int]) {
        self.lengths = lengths
        var offsets = [0]
        offsets.reserveCapacity(lengths.count + 1)
        for length in lengths { offsets.append(offsets[offsets.count - 1] + length) }
        self.offsets = offsets
    }

    public var tokenCount: Int { offsets[offsets.count - 1] }

    /// The packed rows of a range of sequences.
    public func rows(of sequences: Range<Int>) -> Range<Int> {
        offsets[sequences.lowerBound]..<offsets[sequences.upperBound]
    }

    /// The sequence that holds a packed row, by bisection.
    public func sequence(ofRow row: Int) -> Int {
        var (low, high) = (0, lengths.count - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if offsets[middle] <= row { low = middle } else { high = middle - 1 }
        }
        return low
    }

    /// Runs of whole sequences of at most `tokenCount` tokens, which lanes share evenly, however many there are; a longer
    /// sequence is a run of its own.
    public func slabs(tokenCount: Int) -> [Range<Int>] {
        let fewest = runs(tokenCount: tokenCount).count
        return SlabSharing(limit: tokenCount).best(fewest: fewest, rowCount: { rows(of: $0).count }) { count in
            // The smallest limit that gives no more.
            var (low, high) = (1, max(1, tokenCount))
            while low < high {
                let middle = (low + high) / 2
                if runs(tokenCount: middle).count <= count { high = middle } else { low = middle + 1 }
            }
            return runs(tokenCount: low)
        }
    }

    /// Each run takes as many sequences as it may.
    private func runs(tokenCount: Int) -> [Range<Int>] {
        var slabs: [Range<Int>] = []
        var begin = 0
        for index in lengths.indices {
            if index > begin, offsets[index + 1] - offsets[begin] > tokenCount {
                slabs.append(begin..<index)
                begin = index
            }
        }
        if begin < lengths.count { slabs.append(begin..<lengths.count) }
        return slabs
    }
}
