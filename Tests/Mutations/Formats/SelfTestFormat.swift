import Checkpoints
import Glibc

/// No input of the product: one seed for each thing that has to be a finding, so that the watch over the others is known
/// to see. Not among the formats that are run when none is named.
struct SelfTestFormat: InputFormat {
    let name = "self-test"

    private static let fileName = "case"

    func base(_ random: inout RandomSource) -> CaseFiles { CaseFiles(Self.fileName, [0]) }

    /// The first cases in turn, counted in the file; the seed is what the generator's first number is of.
    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let first = random.next()
        let seed = (UInt64(1)...6).first { seed in
            var source = RandomSource(seed: seed)
            return source.next() == first
        }
        return CaseFiles(Self.fileName, [UInt8(seed ?? 0)])
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        let bytes = Disk.read(path, limit: 1)
        switch bytes.first {
        case 1: exercise.complain("\(bytes[bytes.count]) was read beyond the end")
        case 2: abort()
        case 3: while true { usleep(100_000) }
        // Twice what the constant grants, and never touched.
        case 4:
            var bytes: [UInt8] = []
            bytes.reserveCapacity(2 * MemoryMeter.constant)
            withExtendedLifetime(bytes) {}
        case 5: exercise.probe { throw CheckpointError.missing(path: "\u{1B}[2J") }
        default: break
        }
    }
}
