import CKernels
import Synchronization
package import Tensors

/// A GPU, or its emulation, through the table of a kernel library. Work is done in the order of the calls.
@safe
package struct CUDABackend: Backend {
    package let identifier: DeviceIdentifier
    let context: KernelContext

    private static let contextCount = Atomic(0)

    /// - Throws: `ComputeError.kernelLibrary` where no library can be opened, `.deviceUnavailable` without a GPU.
    init(_ kind: KernelLibrary.Kind, index: Int32 = 0) throws(ComputeError) {
        context = try KernelContext(try KernelLibrary.named(kind), device: index)
        let number = CUDABackend.contextCount.wrappingAdd(1, ordering: .relaxed).oldValue
        identifier = DeviceIdentifier(name: kind.rawValue, index: number)
    }

    /// One: the device itself works on many rows at a time.
    package var laneCount: Int { 1 }
    package var prefersProducts: Bool { true }
    package var preferredRowCounts: (slab: Int, activations: Int) { (16384, 16384) }

    package func concurrently(_ taskCount: Int, _ body: @Sendable (_ task: Int, _ lane: Int) -> Void) {
        for task in 0..<taskCount { body(task, 0) }
    }

    package var overlapsTransfers: Bool { true }
    package func makeTransfer() throws(ComputeError) -> any BackendTransfer { try CUDATransfer(of: self) }

    package func synchronize() throws(ComputeError) {
        try unsafe call("synchronize") { api, context in unsafe api.synchronize(context) }
    }

    /// For instance `NVIDIA H200, cuBLAS 13.0.2`.
    package var libraryDescription: String {
        let info = context.info
        let name = info.nameText
        let version = info.cublas_version
        return "\(name), cuBLAS \(version / 10000).\(version / 100 % 100).\(version % 100)"
    }

    /// For instance `CUDA 13.0`.
    var driverDescription: String? {
        let version = context.info.driver_version
        return version > 0 ? "CUDA \(version / 1000).\(version / 10 % 100)" : nil
    }

    package func availableMemoryByteCount() throws(ComputeError) -> Int {
        var (free, total) = (Int64(0), Int64(0))
        try unsafe call("memory_info") { api, context in unsafe api.memory_info(context, &free, &total) }
        return Int(free)
    }

    /// Calls a function of the table.
    func call(_ operation: String, _ body: (ck_api, OpaquePointer) -> Int32) throws(ComputeError) {
        try context.check(operation, unsafe body(context.library.api.pointee, context.pointer))
    }
}

// MARK: Memory

extension CUDABackend {
    package func allocate(byteCount: Int, purpose: String) throws(ComputeError) -> Storage {
        try unsafe allocate(byteCount: byteCount, purpose: purpose) { api, context, address in
            unsafe api.allocate(context, Int64(byteCount), address)
        } release: { api, context, address in
            unsafe api.release(context, address)
        }
    }

    /// Memory that two functions of the table take and give back.
    func allocate(
        byteCount: Int, purpose: String, _ take: (ck_api, OpaquePointer, UnsafeMutablePointer<UInt64>) -> Int32,
        release: @escaping @Sendable (ck_api, OpaquePointer, UInt64) -> Void
    ) throws(ComputeError) -> Storage {
        var address: UInt64 = 0
        do throws(ComputeError) {
            try unsafe call("allocate") { api, context in unsafe take(api, context, &address) }
        } catch .outOfMemory {
            throw .outOfMemory(byteCount: byteCount, purpose: purpose)
        }
        guard let pointer = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)) else {
            throw .deviceFailed(operation: "allocate", meaning: "no address came back")
        }
        return unsafe Storage(address: pointer, byteCount: byteCount, owner: identifier) { [context] in
            unsafe release(context.library.api.pointee, context.pointer, UInt64(UInt(bitPattern: $0)))
        }
    }

    package var hasOwnMemory: Bool { true }

    package func allocateHost(byteCount: Int, purpose: String) throws(ComputeError) -> Storage {
        var address: UnsafeMutableRawPointer?
        do throws(ComputeError) {
            try unsafe call("allocate_host") { api, context in
                unsafe api.allocate_host(context, Int64(byteCount), &address)
            }
        } catch .outOfMemory {
            throw .outOfMemory(byteCount: byteCount, purpose: purpose)
        }
        guard let pointer = unsafe address else {
            throw .deviceFailed(operation: "allocate_host", meaning: "no address came back")
        }
        let owner = DeviceIdentifier(name: "host memory of \(identifier.name)", index: identifier.index)
        return unsafe Storage(address: pointer, byteCount: byteCount, owner: owner) { [context] in
            unsafe context.library.api.pointee.release_host(context.pointer, $0)
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) throws(ComputeError) {
        guard let source = bytes.baseAddress else { return }
        try unsafe call("write") { api, context in
            unsafe api.write(context, source, Int64(bytes.count), tensor.kernels.address)
        }
    }

    package func read(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(ComputeError) {
        guard let destination = bytes.baseAddress else { return }
        try unsafe call("read") { api, context in
            unsafe api.read(context, tensor.kernels.address, destination, Int64(bytes.count))
        }
    }

    package func copy(_ source: Tensor, to destination: Tensor) throws(ComputeError) {
        try unsafe call("copy") { api, context in unsafe api.copy(context, source.kernels, destination.kernels) }
    }

    package func fillZero(_ tensor: Tensor) throws(ComputeError) {
        try unsafe call("fill_zero") { api, context in unsafe api.fill_zero(context, tensor.kernels) }
    }
}

// MARK: Tensors of the seam

extension Tensor {
    /// The tensor as the kernel library sees it.
    var kernels: ck_tensor {
        ck_tensor(
            address: unsafe UInt64(UInt(bitPattern: storage.address)) + UInt64(byteOffset), rows: Int64(rows),
            columns: Int64(columns), leading: Int64(leadingDimension), type: elementType.kernels)
    }
}

extension ck_tensor {
    /// What stands for a tensor that is not there.
    static var none: ck_tensor { ck_tensor(address: 0, rows: 0, columns: 0, leading: 0, type: 0) }
}

extension ElementType {
    /// The type's number in `ck_element_type`.
    var kernels: Int32 {
        let type =
            switch self {
            case .float64: CK_FLOAT64
            case .float32: CK_FLOAT32
            case .float16: CK_FLOAT16
            case .bfloat16: CK_BFLOAT16
            case .int32: CK_INT32
            case .q4_0: CK_Q4_0
            case .q4_1: CK_Q4_1
            case .q5_0: CK_Q5_0
            case .q5_1: CK_Q5_1
            case .q8_0: CK_Q8_0
            case .iq4_nl: CK_IQ4_NL
            case .q2_k: CK_Q2_K
            case .q3_k: CK_Q3_K
            case .q4_k: CK_Q4_K
            case .q5_k: CK_Q5_K
            case .q6_k: CK_Q6_K
            case .q8_k: CK_Q8_K
            }
        return Int32(type.rawValue)
    }
}
