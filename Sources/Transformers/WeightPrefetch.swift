import Checkpoints
import Compute
import Dispatch
import Synchronization
import Tensors

/// Hands out a layer's weights, and has the next layer's brought in meanwhile.
///
/// A device that computes beside its transfers has the next layer decoded into its memory, by one thread that is at work
/// only then. The host, whose cores all compute, has the system read the pages of the file.
final class WeightPrefetch: Sendable {
    private let reader: WeightReader
    private let sources: [LayerSources]
    /// Layers that will be asked for, in this order.
    private let layers: Range<Int>
    private let queue = DispatchQueue(label: "straightedge.weights")
    private let next = Mutex<ArrivingWeights?>(nil)

    init(reader: WeightReader, sources: [LayerSources], layers: Range<Int>) {
        self.reader = reader
        self.sources = sources
        self.layers = layers
    }

    deinit {
        next.withLock { $0 }?.abandon()
    }

    /// The weights of a layer; what the device is asked for from here on comes after their decoding.
    ///
    /// - Throws: What reading the layer met, in the background or not.
    func layer(_ index: Int) throws(TransformerError) -> CheckedWeights {
        guard layers.contains(index) else {
            return CheckedWeights(weights: try read(index), arrival: nil)
        }
        guard reader.device.overlapsTransfers else {
            if layers.contains(index + 1) { reader.prefetchPages(of: sources[index + 1]) }
            return CheckedWeights(weights: try read(index), arrival: nil)
        }
        let arrival = takeNext(index) ?? begin(index)
        let weights = try arrival.takeWeights()
        try reader.complete(weights)
        if layers.contains(index + 1) {
            let following = begin(index + 1)
            next.withLock { $0 = following }
        }
        return CheckedWeights(weights: weights, arrival: arrival)
    }

    private func read(_ index: Int) throws(TransformerError) -> LayerWeights {
        let weights = try reader.layer(sources[index])
        try reader.complete(weights)
        return weights
    }

    /// What was begun for this layer; another layer's is given up.
    private func takeNext(_ index: Int) -> ArrivingWeights? {
        let begun = next.withLock { next in
            let begun = next
            next = nil
            return begun
        }
        if let begun, begun.index == index { return begun }
        begun?.abandon()
        return nil
    }

    private func begin(_ index: Int) -> ArrivingWeights {
        let arrival = ArrivingWeights(index)
        arrival.begin(on: queue, sources[index], with: reader)
        return arrival
    }
}

/// A layer's weights, and what is still to be learned of them.
struct CheckedWeights: Sendable {
    let weights: LayerWeights
    fileprivate let arrival: ArrivingWeights?

    /// - Throws: `TransformerError.nonFiniteWeight`, known once the weights have been decoded.
    func check() throws(TransformerError) { try arrival?.check() }
}

/// One layer's weights on their way: a thread reads them, another one waits until all has been asked of the device, and
/// computes.
private final class ArrivingWeights: Sendable {
    let index: Int
    private let progress = Mutex(Progress())
    private let isAsked = DispatchGroup()
    /// Left when the reading thread holds nothing any more.
    private let isRead = DispatchGroup()

    private struct Progress {
        var transfer: WeightTransfer?
        var weights: LayerWeights?
        var error: TransformerError?
        var isAbandoned = false
    }

    init(_ index: Int) {
        self.index = index
        isAsked.enter()
    }

    func begin(on queue: DispatchQueue, _ sources: LayerSources, with reader: WeightReader) {
        queue.async(group: isRead) { self.read(sources, with: reader) }
    }

    private func read(_ sources: LayerSources, with reader: WeightReader) {
        let transfer = ask(sources, of: reader)
        isAsked.leave()
        do throws(TransformerError) {
            try transfer?.check(reader.checkpoint)
        } catch {
            progress.withLock { $0.error = error }
        }
    }

    /// The transfer of all weights, or nil where there is an error or nobody wants them.
    private func ask(_ sources: LayerSources, of reader: WeightReader) -> WeightTransfer? {
        do throws(TransformerError) {
            let transfer = try WeightTransfer(to: reader.device)
            let isAbandoned = progress.withLock {
                $0.transfer = transfer
                return $0.isAbandoned
            }
            if isAbandoned { return nil }
            let weights = try reader.with(transfer).layer(sources)
            try transfer.finish()
            progress.withLock { $0.weights = $0.isAbandoned ? nil : weights }
            return transfer
        } catch {
            progress.withLock { $0.error = error }
            return nil
        }
    }

    /// The weights, once.
    func takeWeights() throws(TransformerError) -> LayerWeights {
        isAsked.wait()
        let (transfer, weights, error) = progress.withLock { progress in
            defer { progress.weights = nil }
            return (progress.transfer, progress.weights, progress.error)
        }
        guard let transfer, let weights else {
            isRead.wait()
            throw error ?? .compute(.deviceFailed(operation: "weights", meaning: "none came"))
        }
        do throws(TransformerError) {
            try transfer.precedeComputing()
        } catch {
            isRead.wait()
            throw error
        }
        return weights
    }

    func check() throws(TransformerError) {
        isRead.wait()
        if let error = progress.withLock({ $0.error }) { throw error }
    }

    /// Nobody wants the weights any more; when this returns, no thread is at work on them.
    func abandon() {
        progress.withLock {
            $0.isAbandoned = true
            $0.weights = nil
            $0.transfer?.abandon()
        }
        isRead.wait()
    }
}

/// A transfer of weights: knows which tensors are in it, so that an error can name one.
final class WeightTransfer: Sendable {
    private let transfer: Transfer
    private let device: Device
    /// What was decoded, in order.
    private let pieces = Mutex([Piece]())
    private let isAbandoned = Atomic(false)

    private struct Piece {
        let name: String
        /// Of the stored tensor.
        let firstRow: Int
    }

    init(to device: Device) throws(TransformerError) {
        self.device = device
        transfer = try wrapping { () throws(ComputeError) in try device.makeTransfer() }
    }

    func makeTensor(_ shape: Shape, _ type: ElementType, for purpose: String) throws(ComputeError) -> Tensor {
        try transfer.makeTensor(shape, type, for: purpose)
    }

    /// Decodes rows of a stored tensor, of which `bytes` are.
    func decode(
        _ bytes: UnsafeRawBufferPointer, of stored: StoredTensor, firstRow: Int, into tensor: Tensor
    ) throws(ComputeError) {
        if isAbandoned.load(ordering: .relaxed) { return }
        pieces.withLock { $0.append(Piece(name: stored.name, firstRow: firstRow)) }
        try unsafe transfer.decode(bytes.bytes, elementType: stored.elementType, into: tensor)
    }

    func finish() throws(TransformerError) {
        try wrapping { () throws(ComputeError) in try transfer.finish() }
    }

    func precedeComputing() throws(TransformerError) {
        try wrapping { () throws(ComputeError) in try device.wait(for: transfer) }
    }

    /// - Throws: `TransformerError.nonFiniteWeight`; waits until the transfer has been done, unless it is abandoned.
    func check(_ checkpoint: Checkpoint) throws(TransformerError) {
        if isAbandoned.load(ordering: .relaxed) { return }
        let found = try wrapping { () throws(ComputeError) in try transfer.firstNonFiniteRow() }
        guard let found else { return }
        let piece = pieces.withLock { $0[found.tensor] }
        throw .nonFiniteWeight(path: checkpoint.path, tensor: piece.name, row: piece.firstRow + found.row)
    }

    /// What has not been asked for is left away from here on.
    func abandon() { isAbandoned.store(true, ordering: .relaxed) }
}

extension WeightReader {
    /// The same, bringing in what it reads by a transfer.
    fileprivate func with(_ transfer: WeightTransfer) -> WeightReader {
        var reader = self
        reader.transfer = transfer
        return reader
    }

    /// Has the system read the pages of a layer's tensors, while something else is done.
    fileprivate func prefetchPages(of sources: LayerSources) {
        for tensor in sources.tensors(plan) { checkpoint.prefetch(tensor.name) }
    }
}
