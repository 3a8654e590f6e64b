import Checkpoints

/// The files that `Fixtures/make_fixtures.py` wrote with the reference implementations.
enum Fixtures {
    static func path(_ name: String, from source: StaticString = #filePath) -> String {
        let folder = "\(source)".split(separator: "/").dropLast().joined(separator: "/")
        return "/\(folder)/Fixtures/\(name)"
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        let file = try MappedFile(path(name))
        return unsafe Array(file.bytes)
    }

    /// What a reader has to find in them.
    static func expected() throws -> JSON { try JSON.read(path("expected.json")) }

    struct Tensor {
        let name: String
        let shape: [Int]
        let type: String
        let digest: String
    }

    static func expectedTensors(_ key: String) throws -> [Tensor] {
        let tensors = try expected()[key]?["tensors"]?.array ?? []
        return tensors.map { tensor in
            Tensor(
                name: tensor["name"]?.string ?? "", shape: tensor["shape"]?.array?.compactMap(\.integer) ?? [],
                type: tensor["type"]?.string ?? "", digest: tensor["sha256"]?.string ?? "")
        }
    }
}

/// A repeatable source of random numbers (SplitMix64), so that a failure can be seen again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

extension [UInt8] {
    /// The bytes with up to four of them replaced.
    func mutated(by random: inout SplitMix) -> [UInt8] {
        var copy = self
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let index = Int.random(in: 0..<count, using: &random)
            // Extreme bytes make extreme lengths and offsets.
            copy[index] =
                [0x00, 0xFF, 0x7F, 0x80, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random) ?? 0
        }
        return copy
    }
}
