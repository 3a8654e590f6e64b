import Checkpoints
import Linearity

/// The file of `--tokens-out`: the error of every token in every layer.
struct TokenErrorFile {
    private let path: String
    private let replaces: Bool

    /// - Throws: where the name has another ending, or the file exists and may not be replaced.
    init(_ path: String, replaces: Bool) throws {
        guard path.hasSuffix(".npy") || path.hasSuffix(".safetensors") else {
            throw OutputError(description: "\(path) is neither .npy nor .safetensors; end --tokens-out so")
        }
        // Before hours are spent: is it taken, can it be written there?
        _ = try WholeFile(path: path, replaces: replaces, option: "--tokens-out")
        self.path = path
        self.replaces = replaces
    }

    /// - Parameter layout: Tokens of each sequence.
    func write(_ result: Analysis.Result, lengths: [Int], ids: [Int32]) throws {
        if path.hasSuffix(".npy") {
            try writeArray(result, tokenCount: ids.count)
        } else {
            try writeTensors(result, lengths: lengths, ids: ids)
        }
    }

    /// NumPy's format 1.0: the errors of the whole layers' steps in-sample, over all tokens.
    private func writeArray(_ result: Analysis.Result, tokenCount: Int) throws {
        let file = try WholeFile(path: path, replaces: replaces, option: "--tokens-out")
        let view = result.views[0]
        let columns = zip(view.steps, view.tokenErrors).compactMap { $0.site == .layer ? $1?.inSample : nil }
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(tokenCount), \(columns.count)), }"
        // Elements begin at a multiple of 64 bytes.
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        let count = UInt16(header.utf8.count)
        try file.write([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(count & 0xFF), UInt8(count >> 8)] as [UInt8])
        try file.write(Array(header.utf8))
        try file.write(rows(columns, tokenCount))
        try file.finish()
    }

    private func writeTensors(_ result: Analysis.Result, lengths: [Int], ids: [Int32]) throws {
        var entries = [
            SafetensorsWriter.Entry(name: "tokens", type: "I32", shape: [ids.count]),
            SafetensorsWriter.Entry(name: "sequence_lengths", type: "I32", shape: [lengths.count]),
            SafetensorsWriter.Entry(name: "layers", type: "I32", shape: [result.layerNumbers.count]),
        ]
        var contents: [[[Float]]] = []
        for view in result.views {
            for site in StepSite.allCases {
                let errors = zip(view.steps, view.tokenErrors).compactMap { $0.site == site ? $1 : nil }
                if errors.isEmpty { continue }
                let heldOut = errors.filter { !$0.heldOut.isEmpty }.map(\.heldOut)
                for (kind, columns) in [("in_sample", errors.map(\.inSample)), ("held_out", heldOut)]
                where columns.count == errors.count {
                    let name = "\(view.view.name).\(site.rawValue).\(kind)"
                    entries.append(.init(name: name, type: "F32", shape: [ids.count, columns.count]))
                    contents.append(columns)
                }
            }
        }
        let writer = try SafetensorsWriter(path: path, replaces: replaces, option: "--tokens-out", tensors: entries)
        try writer.write(ids)
        try writer.write(lengths.map { Int32($0) })
        try writer.write(result.layerNumbers)
        for columns in contents { try writer.write(rows(columns, ids.count)) }
        try writer.finish()
    }

    /// (tokens, columns), row by row.
    private func rows(_ columns: [[Float]], _ tokenCount: Int) -> [Float] {
        var rows: [Float] = []
        rows.reserveCapacity(tokenCount * columns.count)
        for row in 0..<tokenCount {
            for column in columns { rows.append(column[row]) }
        }
        return rows
    }
}

extension Analysis.Result {
    /// The numbers of the measured layers.
    fileprivate var layerNumbers: [Int32] {
        let steps = views[0].steps
        return steps.filter { $0.site == steps[0].site }.map { Int32($0.layer) }
    }
}
