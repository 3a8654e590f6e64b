import Checkpoints
import Compute
import Tensors
import Testing

import Transformers

/// A file or folder beside the script that made it.
enum Fixture {
    static func path(_ name: String, file: String = #filePath) -> String {
        file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/Fixtures/\(name)"
    }

    static func model(_ name: String) throws -> DecoderModel { try DecoderModel(Checkpoint.open(path(name))) }

    static func expectations(_ name: String) throws -> Expectations {
        Expectations(file: try SafetensorsFile(path("\(name)/expected.safetensors")))
    }
}

/// Arrays that another implementation computed.
struct Expectations {
    let file: SafetensorsFile

    func floats(_ name: String) throws -> [Float] {
        let tensor = try file.tensor(name)
        return (0..<tensor.elementCount).map {
            unsafe tensor.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }
    }

    func integers(_ name: String) throws -> [Int] { try floats(name).map { Int($0) } }

    /// The batch: packed ids and the lengths of the sequences.
    func batch() throws -> (ids: [Int32], layout: SequenceLayout) {
        (try integers("ids").map { Int32($0) }, SequenceLayout(lengths: try integers("lengths")))
    }
}

/// The largest difference, relative to the largest expected value.
func relativeDifference(_ got: [Float], _ want: [Float]) -> Double {
    guard got.count == want.count else { return .infinity }
    let scale = want.map { abs(Double($0)) }.max() ?? 0
    let difference = zip(got, want).map { abs(Double($0) - Double($1)) }.max() ?? 0
    return zip(got, want).contains { $0.isNaN != $1.isNaN } ? .infinity : difference / scale
}

extension Stream {
    /// All rows.
    func values() throws -> [Float] {
        let staging = try device.makeTensor([layout.tokenCount, width], .float32, for: "a test")
        return try device.floats(of: rows(0..<layout.tokenCount, staging: staging))
    }
}
