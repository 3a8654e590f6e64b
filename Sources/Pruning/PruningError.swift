import Compute
public import LinearAlgebra
public import Linearity
public import Transformers

/// What can go wrong while layers are replaced.
public enum PruningError: Error, Sendable, CustomStringConvertible {
    case transformer(TransformerError)
    /// Planning the memory, or the measurement.
    case linearity(LinearityError)
    /// Why there is no map; `place` names the layers, or is empty.
    case map(MapError, place: String)
    /// A row of a stream is NaN or infinite.
    case nonFiniteRow(stream: String, sequence: Int, position: Int, place: String)
    /// Blocks of layers that overlap or are not in the model.
    case blocks([Range<Int>], layerCount: Int)
    /// Sublayers of several layers have no map in common.
    case sublayersOfBlocks(block: Range<Int>)

    public var description: String {
        switch self {
        case .transformer(let error): "\(error)"
        case .linearity(let error): "\(error)"
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
