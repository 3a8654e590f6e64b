import Compute
public import Evaluation
public import LinearAlgebra
public import Linearity
public import Transformers

/// What can go wrong while layers are chosen, cut and written.
public enum PruningError: Error, Sendable, CustomStringConvertible {
    case transformer(TransformerError)
    case linearity(LinearityError)
    case evaluation(EvaluationError)
    /// Why there is no map; `place` names the layers, or is empty.
    case map(MapError, place: String)
    /// A row of a stream is NaN or infinite.
    case nonFiniteRow(stream: String, sequence: Int, position: Int, place: String)
    /// Blocks of layers that overlap or are not in the model.
    case blocks([Range<Int>], layerCount: Int)
    /// Sublayers of several layers have no map in common.
    case sublayersOfBlocks(block: Range<Int>)
    /// Layers that are not all in the model, or none.
    case layers(asked: Range<Int>, layerCount: Int)
    /// Two ranges share layers.
    case overlap(Range<Int>, Range<Int>)
    case nothingAsked
    case nothingKept(layerCount: Int)
    /// Fewer layers can be cut than are to be.
    case tooFewCandidates(asked: Int, available: Int, blockSize: Int)
    /// The number of layers is not a multiple of the size of blocks.
    case wholeBlocks(asked: Int, blockSize: Int)
    /// No candidate has the figure that it is to be chosen by.
    case noFigure(criterion: Criterion, reason: String)
    /// Nothing is kept before layers whose place a projection before them is to take.
    case nothingBefore(Range<Int>)
    /// What a projection gives is normalized before it is added: no change of it equals a change of the stream.
    case normBehind(family: String)
    /// A sublayer is to be replaced in a layer where a map stands already.
    case linearLayer(Int)
    case tooFewSequences(count: Int)
    /// No held-out sequence has a token behind its first.
    case nothingHeldOut

    public var description: String {
        switch self {
        case .transformer(let error): "\(error)"
        case .linearity(let error): "\(error)"
        case .evaluation(let error): "\(error)"
        case .map(let error, let place): PruningError.prefix(place) + "\(error)"
        case .nonFiniteRow(let stream, let sequence, let position, let place):
            PruningError.prefix(place)
                + "the stream that \(stream) is NaN or infinite in sequence \(sequence), position "
                + "\(position): no map was made"
        case .blocks(let blocks, let layerCount):
            "blocks \(blocks.map { "\($0.lowerBound):\($0.upperBound)" }.joined(separator: ",")) overlap, are empty, or are "
                + "not all in the model, whose layers are 0:\(layerCount)"
        case .sublayersOfBlocks(let block):
            "layers \(block.lowerBound):\(block.upperBound) have attention and MLP in turn: a map of a sublayer is of one "
                + "layer"
        case .layers(let asked, let layerCount):
            "layers \(asked.lowerBound):\(asked.upperBound) are not all in the model, whose layers are 0:\(layerCount)"
        case .overlap(let one, let other):
            "layers \(one.lowerBound):\(one.upperBound) and \(other.lowerBound):\(other.upperBound) share layers; name each "
                + "layer once"
        case .nothingAsked: "no layer is to be cut; name some with --layers, or a plan with --plan"
        case .nothingKept(let layerCount):
            "all \(layerCount) layers are to be cut: nothing would be left of the model; keep at least one"
        case .tooFewCandidates(let asked, let available, let blockSize):
            "\(asked) layers are to be cut, and only \(available) can be"
                + (blockSize > 1 ? " in blocks of \(blockSize)" : "")
                + "; give a smaller --drop, or protect fewer layers"
        case .wholeBlocks(let asked, let blockSize):
            "--drop \(asked) is not a multiple of --block \(blockSize); blocks are cut whole"
        case .noFigure(let criterion, let reason):
            "no layer can be chosen by \(criterion.rawValue): \(reason)"
        case .nothingBefore(let layers):
            "layers \(layers.lowerBound):\(layers.upperBound) cannot be merged: no layer before them is kept whose MLP could make "
                + "up for them; keep one that has an MLP, or use --mode replace"
        case .normBehind(let family):
            "the layers of \(family) cannot be merged: a norm stands behind the projection that would change; use --mode "
                + "replace or remove"
        case .linearLayer(let layer):
            "layer \(layer) has a linear map already; replace the whole layer, or leave it"
        case .nothingHeldOut:
            "no held-out sequence has two tokens, and of a sequence every token but the first is scored; give longer sequences"
        case .tooFewSequences(let count):
            "\(count) sequence cannot be shared between the fit and the tokens that judge it; give at least 2 sequences, or "
                + "a shorter --sequence-length"
        }
    }

    /// Whether it is only that no map could be fitted, for the tokens or for the memory.
    var isOfFit: Bool {
        switch self {
        case .map, .linearity(.memory): true
        default: false
        }
    }

    private static func prefix(_ place: String) -> String { place.isEmpty ? "" : "\(place): " }
}

/// Runs `body`, and rethrows an error of a room below as this room's.
func transforming<Result>(_ body: () throws(TransformerError) -> Result) throws(PruningError) -> Result {
    do { return try body() } catch { throw .transformer(error) }
}

func computing<Result>(_ body: () throws(ComputeError) -> Result) throws(PruningError) -> Result {
    do { return try body() } catch { throw .transformer(.compute(error)) }
}

func measuring<Result>(_ body: () throws(LinearityError) -> Result) throws(PruningError) -> Result {
    do { return try body() } catch { throw .linearity(error) }
}

func evaluating<Result>(_ body: () throws(EvaluationError) -> Result) throws(PruningError) -> Result {
    do { return try body() } catch { throw .evaluation(error) }
}
