import Glibc

/// What a worker is doing, in a small file that outlives it: the supervisor reads which seed was in work when the worker
/// was gone or has been silent for too long.
struct Ledger {
    /// The case in work, or the one that would be next.
    var seed: UInt64 = 0
    /// When its exercise began, by the monotonic clock; 0 between cases.
    var start: UInt64 = 0
    /// Cases done by this worker.
    var doneCount: UInt64 = 0
    /// Those of them in which nothing was refused.
    var acceptedCount: UInt64 = 0
    /// The largest share of its allowance that a case had in memory, in thousandths, and its seed.
    var peakShare: UInt64 = 0
    var peakSeed: UInt64 = 0
    /// The longest case in nanoseconds, and its seed.
    var longest: UInt64 = 0
    var longestSeed: UInt64 = 0

    /// A monotonic clock in nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private var numbers: [UInt64] {
        [seed, start, doneCount, acceptedCount, peakShare, peakSeed, longest, longestSeed]
    }

    func write(to descriptor: Int32) {
        let bytes = numbers.flatMap { ByteMutation.bytes($0) }
        unsafe _ = pwrite(descriptor, bytes, bytes.count, 0)
    }

    /// The ledger at a path; all zeros where a worker has not written yet.
    init(path: String) {
        let bytes = Disk.read(path, limit: 64)
        let numbers = (0..<8).map { index in
            bytes.dropFirst(8 * index).prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        (seed, start, doneCount, acceptedCount) = (numbers[0], numbers[1], numbers[2], numbers[3])
        (peakShare, peakSeed, longest, longestSeed) = (numbers[4], numbers[5], numbers[6], numbers[7])
    }

    init() {}
}
