public import Compute
public import Tensors

/// The residual stream of a whole corpus between two layers: (tokens, width) float32, ragged sequences packed.
///
/// A stream is a value that is kept, read and continued; its rows are in device memory, where they do not
/// fit in the host's, and where that is too small as well in a scratch file.
public final class Stream: Sendable {
    public let layout: SequenceLayout
    public let width: Int
    public let device: Device
    private let placement: Placement

    /// Where the rows of a stream are.
    public enum PlacementKind: String, Sendable {
        case memory
        /// Pinned memory of the host, beside a device that has its own.
        case hostMemory = "host memory"
        case scratchFile = "scratch file"
    }

    private enum Placement: Sendable {
        case memory(Tensor)
        case hostMemory(HostMemory)
        case file(FileBox)
    }

    /// Gives the noncopyable file a reference.
    private final class FileBox: Sendable {
        let file: ScratchFile
        init(_ file: consuming ScratchFile) { self.file = file }
    }

    /// A stream whose rows are not set.
    ///
    /// - Throws: `TransformerError.compute` without memory, `.scratchFile` without disk.
    public init(layout: SequenceLayout, width: Int, device: Device, placement: PlacementKind) throws(TransformerError) {
        self.layout = layout
        self.width = width
        self.device = device
        switch placement {
        case .memory:
            self.placement = .memory(
                try wrapping { () throws(ComputeError) in
                    try device.makeTensor([layout.tokenCount, width], .float32, for: "the residual stream")
                })
        case .hostMemory:
            self.placement = .hostMemory(
                try wrapping { () throws(ComputeError) in
                    try HostMemory(
                        byteCount: layout.tokenCount * width * 4, for: "the residual stream in the host's memory",
                        device: device)
                })
        case .scratchFile:
            self.placement = .file(FileBox(try ScratchFile(byteCount: layout.tokenCount * width * 4)))
        }
    }

    public var placementKind: PlacementKind {
        switch placement {
        case .memory: .memory
        case .hostMemory: .hostMemory
        case .file: .scratchFile
        }
    }

    /// The given rows as a tensor (rows.count, width): a view where the stream is in memory, else copied to `staging`.
    ///
    /// - Parameter staging: (at least rows.count, width) float32; unused, and may be nil, for a stream in memory.
    public func rows(_ rows: Range<Int>, staging: Tensor?) throws(TransformerError) -> Tensor {
        switch placement {
        case .memory(let tensor): return tensor.rows(rows)
        case .hostMemory(let memory):
            let destination = try stagingRows(rows, staging)
            try wrapping { () throws(ComputeError) in
                try memory.read(into: destination, at: rows.lowerBound * width * 4)
            }
            return destination
        case .file(let box):
            let destination = try stagingRows(rows, staging)
            var bytes = [UInt8](repeating: 0, count: rows.count * width * 4)
            var span = bytes.mutableSpan
            var raw = unsafe span.mutableBytes
            try box.file.read(into: &raw, at: rows.lowerBound * width * 4)
            try wrapping { () throws(ComputeError) in
                try bytes.withRawSpan { span throws(ComputeError) in try device.write(span, to: destination) }
            }
            return destination
        }
    }

    /// Where the given rows are to be computed: their place in memory, else `staging`; `commit` makes them final.
    public func destination(_ rows: Range<Int>, staging: Tensor?) throws(TransformerError) -> Tensor {
        switch placement {
        case .memory(let tensor): tensor.rows(rows)
        case .hostMemory, .file: try stagingRows(rows, staging)
        }
    }

    /// Makes rows final that were computed in `destination(_:staging:)`.
    public func commit(_ tensor: Tensor, at rows: Range<Int>) throws(TransformerError) {
        switch placement {
        case .memory: return
        case .hostMemory(let memory):
            try wrapping { () throws(ComputeError) in
                try memory.write(tensor, at: rows.lowerBound * width * 4)
            }
        case .file(let box): try commit(tensor, at: rows, to: box.file)
        }
    }

    private func commit(
        _ tensor: Tensor, at rows: Range<Int>, to file: borrowing ScratchFile
    ) throws(TransformerError) {
        var bytes = [UInt8](repeating: 0, count: rows.count * width * 4)
        try wrapping { () throws(ComputeError) in
            var span = bytes.mutableSpan
            var raw = unsafe span.mutableBytes
            try device.read(tensor, into: &raw)
        }
        try bytes.withRawSpan { span throws(TransformerError) in try file.write(span, at: rows.lowerBound * width * 4) }
    }

    private func stagingRows(_ rows: Range<Int>, _ staging: Tensor?) throws(TransformerError) -> Tensor {
        guard let staging, staging.rows >= rows.count, staging.columns == width else {
            throw .compute(
                .shape(
                    operation: "stream", operand: "staging", expected: "(\(rows.count) or more, \(width))",
                    got: staging?.shape ?? [0]))
        }
        return staging.rows(0..<rows.count)
    }
}
