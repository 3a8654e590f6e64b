import Dispatch
import Synchronization

/// The cores of the host as lanes: tasks are dealt out one by one, and each lane runs on one core.
struct HostLanes: Sendable {
    let count: Int

    /// True inside a lane, where further parallelism would only oversubscribe the cores.
    @TaskLocal private static var isInsideLane = false

    /// Calls `body(task, lane)` for every task; inside a lane, one after another.
    func callAsFunction(_ taskCount: Int, _ body: @Sendable (_ task: Int, _ lane: Int) -> Void) {
        let laneCount = HostLanes.isInsideLane ? 1 : min(count, taskCount)
        guard laneCount > 1 else {
            for task in 0..<taskCount { body(task, 0) }
            return
        }
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: laneCount) { lane in
            HostLanes.$isInsideLane.withValue(true) {
                while true {
                    let task = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    if task >= taskCount { return }
                    body(task, lane)
                }
            }
        }
    }
}
