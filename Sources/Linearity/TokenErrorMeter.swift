import Compute
import LinearAlgebra
import Synchronization
import Tensors
import Transformers

/// Measures the errors of every token with the maps of all views, while the streams of the layer are still there.
struct TokenErrorMeter {
    let device: Device
    let layout: SequenceLayout
    let folds: FoldLayout
    let views: [View]
    let gatherer: MomentGatherer

    /// Bytes that are taken while the errors of a layer are measured, besides the maps.
    static func byteCount(width: Int, laneCount: Int) -> Int {
        let mapCount = 2 * 2
        return mapCount * width * width * 4
            + laneCount * MapErrors.workspaceByteCount(width: width, mapCount: mapCount)
    }

    /// What rounding in float32 moments may account for in an error; more, and they are formed again in float64.
    static let roundingLimit = 1e-5

    /// Up to this many tokens a column of the stream, float32 moments are not tried: they would be formed again in most
    /// layers.
    static let preciseTokenCountPerColumn = 32

    /// The errors of all tokens, one for each view; nil where the view has no map.
    ///
    /// - Returns: nil where an error may be off by more than `roundingLimit` of itself.
    func measure(
        x: Stream, y: Stream, _ estimate: MomentEstimate, _ solutions: [ViewSolution]
    ) throws(TransformerError) -> [TokenErrors?]? {
        var results: [TokenErrors?] = solutions.map { solution in
            if solution.map == nil { return nil }
            let unset = [Float](repeating: .nan, count: layout.tokenCount)
            return TokenErrors(
                inSample: unset, heldOut: solution.heldOutMaps.isEmpty ? [] : unset,
                heldOutReason: solution.heldOutReason)
        }
        for fold in 0..<folds.foldCount {
            let columns = columns(solutions, fold: fold)
            if columns.isEmpty { continue }
            let maps = try computing { () throws(ComputeError) in
                try MapErrors(device: device, maps: columns.map(\.map), estimate: estimate)
            }
            let foldRows = folds.rows(ofFold: fold)
            for begin in stride(from: foldRows.lowerBound, to: foldRows.upperBound, by: MomentGatherer.panelRowCount) {
                let rows = begin..<min(begin + MomentGatherer.panelRowCount, foldRows.upperBound)
                let panels = try gatherer.panels(rows, x: x, y: y)
                let errors = try computing { () throws(ComputeError) in
                    try self.errors(of: maps, x: panels.x, y: panels.y)
                }
                for (column, values) in zip(columns, errors) {
                    if values.contains(where: { $0.roundingShare > TokenErrorMeter.roundingLimit }) { return nil }
                    store(values.flatMap(\.errors), rows, view: views[column.view]) { row, error in
                        if column.isHeldOut {
                            results[column.view]?.heldOut[row] = error
                        } else {
                            results[column.view]?.inSample[row] = error
                        }
                    }
                }
            }
        }
        return results
    }

    /// A map that the tokens of a fold are measured with.
    private struct Column {
        let view: Int
        let isHeldOut: Bool
        let map: AffineMap
    }

    private func columns(_ solutions: [ViewSolution], fold: Int) -> [Column] {
        solutions.enumerated().flatMap { view, solution in
            var columns: [Column] = []
            if let map = solution.map { columns.append(Column(view: view, isHeldOut: false, map: map)) }
            if !solution.heldOutMaps.isEmpty, solution.map != nil {
                columns.append(Column(view: view, isHeldOut: true, map: solution.heldOutMaps[fold]))
            }
            return columns
        }
    }

    /// For each map the errors of all rows of a panel in blocks, over the device's lanes.
    private func errors(of maps: MapErrors, x: Tensor, y: Tensor) throws(ComputeError) -> [[RowErrors]] {
        let blockRowCount = MapErrors.blockRowCount
        let blocks = stride(from: 0, to: x.rows, by: blockRowCount).map { $0..<min($0 + blockRowCount, x.rows) }
        let found = Mutex<[Int: [RowErrors]]>([:])
        try device.concurrently(blocks.count) { block, _ throws(ComputeError) in
            let errors = try maps.errors(x: x, y: y, rows: blocks[block].map { Int32($0) })
            found.withLock { $0[block] = errors }
        }
        return found.withLock { results in
            let ordered = blocks.indices.compactMap { results[$0] }
            return (ordered.first ?? []).indices.map { map in ordered.map { $0[map] } }
        }
    }

    /// Calls `body` for each row that the view sees.
    private func store(_ errors: [Double], _ rows: Range<Int>, view: View, _ body: (Int, Float) -> Void) {
        var sequence = layout.sequence(ofRow: rows.lowerBound)
        for (error, row) in zip(errors, rows) {
            while row >= layout.offsets[sequence + 1] { sequence += 1 }
            if row - layout.offsets[sequence] >= view.skippedTokenCount { body(row, Float(error)) }
        }
    }
}
