public import Compute
import Conformance
import Linearity

/// Checks and times cases, one when its outcome is asked for.
public struct BenchmarkRun: Sendable {
    let device: Device
    /// Sets of operands are taken in turn until as many bytes lie between two uses of one.
    let rotatedByteCount: Int
    /// Seconds that are measured at least, and batches.
    let minimumSeconds: Double
    static let minimumSampleCount = 5

    /// Where calls are short, a set costs more to make than it tells.
    private static let setLimit = 64

    public init(device: Device, scale: BenchmarkScale, minimumSeconds: Double = 0.3) {
        self.device = device
        self.minimumSeconds = minimumSeconds
        rotatedByteCount = 2 * scale.cacheByteCount
    }

    /// What comes of a case: a wrong answer is not timed.
    public func outcome(of candidate: BenchmarkCase) -> BenchmarkOutcome {
        do throws(ComputeError) {
            return BenchmarkOutcome(benchmark: candidate, result: try measure(candidate))
        } catch {
            return BenchmarkOutcome(benchmark: candidate, result: .refused("\(error)"))
        }
    }

    private func measure(_ candidate: BenchmarkCase) throws(ComputeError) -> BenchmarkOutcome.Result {
        let laneCount = candidate.isPerLane ? device.laneCount : 1
        let setCount = try setCount(candidate, laneCount: laneCount)
        var random = SplitMix64(seed: 1)
        let first = try candidate.prepare(device, &random)
        if let complaint = try BenchmarkRun.complaint(first, device) { return .wrong(complaint) }
        try first.restore?()
        // What the check needed is let go.
        var calls = [[PreparedCall(run: first.run, restore: first.restore) { _ throws(ComputeError) in }]]
        for number in 1..<max(1, laneCount * setCount) {
            if number % setCount == 0 { calls.append([]) }
            let call = try candidate.prepare(device, &random)
            calls[number / setCount].append(
                PreparedCall(run: call.run, restore: call.restore) { _ throws(ComputeError) in })
        }
        return .measured(try time(calls))
    }

    /// What is wrong with the answer of a call, or nil.
    static func complaint(_ call: PreparedCall, _ device: Device) throws(ComputeError) -> String? {
        try call.run()
        try device.synchronize()
        var judgement = Judgement()
        try call.check(&judgement)
        return judgement.complaint
    }

    /// Sets of operands for each lane: those that caches cannot hold, or as many as there is memory for.
    private func setCount(_ candidate: BenchmarkCase, laneCount: Int) throws(ComputeError) -> Int {
        let byteCount = max(1, candidate.byteCount * laneCount)
        let free = try device.availableMemoryByteCount()
        guard byteCount <= free / 5 * 4 else {
            throw .outOfMemory(byteCount: byteCount, purpose: "operands of \(candidate)")
        }
        let wanted = (rotatedByteCount + byteCount - 1) / byteCount + 1
        return max(1, min(wanted, free / 2 / byteCount, BenchmarkRun.setLimit))
    }
}

// MARK: Timing

extension BenchmarkRun {
    /// - Parameter calls: The sets of each lane.
    func time(_ calls: [[PreparedCall]]) throws(ComputeError) -> BenchmarkFigures {
        let setCount = calls[0].count
        let isRestored = calls[0][0].restore != nil
        var callsPerSample = 1
        if !isRestored {
            var seconds = try batch(calls, setCount, from: 0)
            // The first calls find nothing in its place; the next ones tell how long a call takes.
            if seconds < minimumSeconds { seconds = try batch(calls, setCount, from: 0) }
            let target = minimumSeconds / Double(2 * BenchmarkRun.minimumSampleCount)
            callsPerSample = max(1, Int((target * Double(setCount) / max(seconds, 1e-9)).rounded(.up)))
        }
        var (samples, total, next) = ([Double](), 0.0, 0)
        while samples.count < BenchmarkRun.minimumSampleCount || total < minimumSeconds {
            let seconds = try batch(calls, callsPerSample, from: next)
            next = (next + callsPerSample) % setCount
            samples.append(seconds / Double(callsPerSample))
            total += seconds
        }
        return BenchmarkFigures(
            samples: samples, callsPerSample: callsPerSample, laneCount: calls.count, setCount: setCount)
    }

    /// Seconds of so many calls on each lane, sets taken in turn from `first` on.
    private func batch(_ calls: [[PreparedCall]], _ count: Int, from first: Int) throws(ComputeError) -> Double {
        for lane in calls { try lane[first % lane.count].restore?() }
        try device.synchronize()
        var stopwatch = Stopwatch()
        if calls.count == 1 {
            for call in first..<first + count { try calls[0][call % calls[0].count].run() }
        } else {
            try device.concurrently(calls.count) { task, _ throws(ComputeError) in
                for call in first..<first + count { try calls[task][call % calls[task].count].run() }
            }
        }
        try device.synchronize()
        return stopwatch.lap()
    }
}
