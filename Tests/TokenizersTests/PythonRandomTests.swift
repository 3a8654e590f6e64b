import Checkpoints
import Testing

@testable import Tokenizers

@Suite struct PythonRandomTests {
    @Test func drawsAreThoseOfCPython() throws {
        let seeds = try Fixtures.json("random.json").array ?? []
        #expect(seeds.count == 5)
        for expected in seeds {
            let seed = UInt(try #require(expected["seed"]?.integer))
            var random = PythonRandom(seed: seed)
            for (bitCount, value) in zip([32, 32, 32, 1, 7, 33, 63], expected["bits"]?.array ?? []) {
                #expect(random.bits(bitCount) == UInt64(try #require(value.integer)))
            }
            let limits = [1, 2, 3, 10, 1000, 1 << 31, 1 << 32, (1 << 33) + 1, 1 << 62]
            for (limit, value) in zip(limits, expected["below"]?.array ?? []) {
                #expect(random.below(limit) == value.integer)
            }
            for sample in expected["samples"]?.array ?? [] {
                let parts = try #require(sample.array)
                let (population, count) = (try #require(parts[0].integer), try #require(parts[1].integer))
                var random = PythonRandom(seed: seed)
                #expect(random.sample(count, outOf: population) == parts[2].array?.compactMap(\.integer))
            }
        }
    }
}
