import COpenBLAS
import Glibc
package import Tensors

/// The CPU. One slab per lane and single-threaded BLAS calls: idle threads of a threaded BLAS spin, and cost more than
/// they bring.
package struct HostBackend: Backend {
    package let identifier = DeviceIdentifier(name: "host", index: 0)
    let lanes: HostLanes
    private let pool = HostMemoryPool()

    package init(laneCount: Int) {
        lanes = HostLanes(count: max(1, laneCount))
        openblas_set_num_threads(1)
    }

    package var laneCount: Int { lanes.count }
    package var prefersProducts: Bool { false }
    package var preferredRowCounts: (slab: Int, activations: Int) { (512, 512) }

    package func concurrently(_ taskCount: Int, _ body: @Sendable (_ task: Int, _ lane: Int) -> Void) {
        lanes(taskCount, body)
    }

    /// All cores compute.
    package var overlapsTransfers: Bool { false }
    package func makeTransfer() -> any BackendTransfer { HostTransfer(of: self) }

    package func synchronize() {}

    /// For instance `OpenBLAS 0.3.21, kernels SkylakeX`.
    package var libraryDescription: String {
        let words = unsafe String(cString: openblas_get_config()).split(separator: " ")
        let kernels = unsafe String(cString: openblas_get_corename())
        return "\(words.prefix(2).joined(separator: " ")), kernels \(kernels)"
    }
}

// MARK: Memory

extension HostBackend {
    package func availableMemoryByteCount() -> Int { HostResources.availableMemoryByteCount() }

    package func allocate(byteCount: Int, purpose: String) throws(ComputeError) -> Storage {
        guard let address = unsafe pool.take(byteCount) else {
            throw .outOfMemory(byteCount: byteCount, purpose: purpose)
        }
        return unsafe Storage(address: address, byteCount: byteCount, owner: identifier) { [pool] in
            unsafe pool.giveBack($0, byteCount)
        }
    }

    package var hasOwnMemory: Bool { false }

    package func allocateHost(byteCount: Int, purpose: String) throws(ComputeError) -> Storage {
        try allocate(byteCount: byteCount, purpose: purpose)
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) {
        guard let source = bytes.baseAddress else { return }
        unsafe tensor.address.copyMemory(from: source, byteCount: bytes.count)
    }

    package func read(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) {
        guard let destination = bytes.baseAddress else { return }
        unsafe destination.copyMemory(from: tensor.address, byteCount: bytes.count)
    }

    package func copy(_ source: Tensor, to destination: Tensor) {
        unsafe contiguousRuns(source, destination).forEach { from, to, byteCount in
            unsafe to.copyMemory(from: from, byteCount: byteCount)
        }
    }

    package func fillZero(_ tensor: Tensor) {
        unsafe contiguousRuns(tensor, tensor).forEach { _, address, byteCount in
            unsafe _ = memset(address, 0, byteCount)
        }
    }

    /// Addresses and byte counts of the runs that are contiguous in both tensors, which have the same shape.
    private func contiguousRuns(
        _ source: Tensor, _ destination: Tensor
    ) -> [(UnsafeMutableRawPointer, UnsafeMutableRawPointer, Int)] {
        if source.isContiguous && destination.isContiguous {
            let byteCount = source.elementType.byteCount(of: source.shape.count) ?? 0
            return unsafe [(source.address, destination.address, byteCount)]
        }
        let byteCount = source.elementType.byteCount(of: source.columns) ?? 0
        return unsafe (0..<source.rows).map { row in
            let range = row..<row + 1
            return unsafe (source.rows(range).address, destination.rows(range).address, byteCount)
        }
    }
}

// MARK: Addresses

extension Tensor {
    /// The first element, for the host's own loops.
    @unsafe var address: UnsafeMutableRawPointer { unsafe storage.address + byteOffset }
    @unsafe var floats: UnsafeMutablePointer<Float> { unsafe address.assumingMemoryBound(to: Float.self) }
    @unsafe var doubles: UnsafeMutablePointer<Double> { unsafe address.assumingMemoryBound(to: Double.self) }
}
