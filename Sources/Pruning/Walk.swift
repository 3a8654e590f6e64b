import Transformers

/// A stream on its way through the layers of a model, with the last streams that it was.
struct Walk {
    let forward: Forward
    /// The layer that comes next.
    private(set) var layer = 0
    /// Streams entering the layers before, and the next one: the last is the present one.
    private var streams: [Stream]
    /// What the MLP of some of those layers added, by layer.
    private var contributions: [Int: Stream] = [:]
    /// How far back streams are kept.
    private let blockSize: Int

    init(_ forward: Forward, tokens: [Int32], blockSize: Int) throws(TransformerError) {
        self.forward = forward
        self.blockSize = blockSize
        streams = [try forward.embed(tokens)]
    }

    /// The stream entering the next layer.
    var stream: Stream { streams[streams.count - 1] }

    /// The stream that entered a layer, at most a block before the next one.
    func stream(entering layer: Int) -> Stream { streams[streams.count - 1 - (self.layer - layer)] }

    /// What the MLP of a layer added, where it was recorded.
    func contribution(of layer: Int) -> Stream? { contributions[layer] }

    /// Goes through the next layer, and takes others through it too.
    ///
    /// - Parameters:
    ///   - records: Whether to keep what the layer's MLP adds.
    ///   - others: Streams entering the same layer; each is let go of when it has left.
    /// - Returns: `others` leaving it.
    mutating func step(records: Bool, with others: consuming [Stream] = []) throws(TransformerError) -> [Stream] {
        let recorder = try records ? ContributionRecorder(layer: layer, beside: stream) : nil
        var entering = others
        entering.insert(stream, at: 0)
        var leaving = try forward.apply(layer, to: consume entering, observer: recorder)
        contributions[layer] = recorder?.contribution
        contributions[layer - blockSize - 1] = nil
        streams.append(leaving.removeFirst())
        if streams.count > blockSize + 1 { streams.removeFirst() }
        layer += 1
        return leaving
    }
}
