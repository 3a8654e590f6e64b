import Synchronization
public import Tensors

/// Where tensors live and arithmetic happens: the checked front of a try backend.
///
/// Every operation checks shapes, element types and owners once and throws `ComputeError`; what is behind it trusts.
/// A device is always an argument, never a default.
public final class Device: Sendable {
    package let backend: any Backend

    package init(backend: any Backend) {
        self.backend = backend
    }

    /// Names that `named(_:)` knows.
    public static let knownNames = ["host", "cuda", "emulated", "auto"]

    /// The device of that name: the CPU, the first GPU, the GPU's kernels on the CPU, or the GPU if there is one.
    ///
    /// - Throws: `ComputeError.unknownDevice`; for a GPU what is missing.
    public static func named(_ name: String) throws(ComputeError) -> Device {
        switch name {
        case "host": return host()
        case "cuda": return Device(backend: try CUDABackend(.cuda))
        case "emulated": return try emulated()
        case "auto":
            do throws(ComputeError) { return try named("cuda") } catch { return host() }
        default: throw .unknownDevice(name: name, known: knownNames)
        }
    }

    /// The kernels of a GPU, run by the CPU: slow, and made to find mistakes.
    ///
    /// - Throws: `ComputeError.kernelLibrary` where the emulation was not built.
    public static func emulated() throws(ComputeError) -> Device { Device(backend: try CUDABackend(.emulated)) }

    /// The CPU: OpenBLAS, LAPACK and Swift loops on every core that this process may use.
    ///
    /// - Parameter laneCount: Slabs worked on at the same time; the number of granted cores if nil.
    public static func host(laneCount: Int? = nil) -> Device {
        Device(backend: HostBackend(laneCount: laneCount ?? HostResources.grantedCoreCount()))
    }

    public var identifier: DeviceIdentifier { backend.identifier }
    public var name: String { identifier.name }

    /// The matrix library behind the device and the kernel set it chose for this processor.
    public var libraryDescription: String { backend.libraryDescription }

    /// The newest CUDA that the GPU's driver knows, for instance `CUDA 13.0`; nil where there is no driver.
    public var driverDescription: String? { (backend as? CUDABackend)?.driverDescription }

    /// How many slabs are worked on at the same time; each lane brings its own workspace.
    public var laneCount: Int { backend.laneCount }

    /// Tokens of a slab, and rows of an MLP's activations, that are worth computing at once: as many as the caches of a core
    /// hold, or as a GPU needs to be busy.
    public var preferredRowCounts: (slab: Int, activations: Int) { backend.preferredRowCounts }

    /// Whether matrix products are so much faster than singular value decompositions that an iteration made of them is too.
    public var prefersProducts: Bool { backend.prefersProducts }

    /// Waits until all that was asked for has been done: what a clock around operations needs.
    public func synchronize() throws(ComputeError) { try backend.synchronize() }

    /// Calls `body(task, lane)` for every task in `0..<taskCount`, on all lanes at once.
    ///
    /// - Throws: The error of the first task, in order, that failed; tasks not yet begun then are not begun.
    public func concurrently<Failure: Error>(
        _ taskCount: Int, _ body: @Sendable (_ task: Int, _ lane: Int) throws(Failure) -> Void
    ) throws(Failure) {
        let firstFailure = Mutex<(task: Int, error: Failure)?>(nil)
        backend.concurrently(taskCount) { task, lane in
            if firstFailure.withLock({ $0 != nil }) { return }
            do throws(Failure) {
                try body(task, lane)
            } catch {
                firstFailure.withLock { failure in
                    if failure.map({ task < $0.task }) ?? true { failure = (task, error) }
                }
            }
        }
        if let failure = firstFailure.withLock({ $0 }) { throw failure.error }
    }
}

// MARK: Memory

extension Device {
    /// Bytes of the device's memory that are free now.
    public func availableMemoryByteCount() throws(ComputeError) -> Int { try backend.availableMemoryByteCount() }

    /// A tensor whose elements are not set.
    ///
    /// - Throws: `ComputeError.outOfMemory`, which names `purpose`.
    public func makeTensor(_ shape: Shape, _ elementType: ElementType, for purpose: String) throws(ComputeError)
        -> Tensor
    {
        try Device.makeTensor(shape, elementType, for: purpose) { byteCount throws(ComputeError) in
            try backend.allocate(byteCount: byteCount, purpose: purpose)
        }
    }

    /// A tensor in the storage that `allocate(byteCount)` gives.
    static func makeTensor(
        _ shape: Shape, _ elementType: ElementType, for purpose: String,
        in allocate: (Int) throws(ComputeError) -> Storage
    ) throws(ComputeError) -> Tensor {
        guard let byteCount = elementType.byteCount(of: shape.count) else {
            throw .shape(
                operation: "makeTensor", operand: purpose, expected: "whole blocks of \(elementType.rawValue)",
                got: shape)
        }
        return Tensor(storage: try allocate(byteCount), shape: shape, elementType: elementType)
    }

    /// A tensor of zeros.
    public func makeZeros(_ shape: Shape, _ elementType: ElementType, for purpose: String) throws(ComputeError)
        -> Tensor
    {
        let tensor = try makeTensor(shape, elementType, for: purpose)
        try backend.fillZero(tensor)
        return tensor
    }

    /// A float32 tensor with these values.
    public func makeTensor(_ values: [Float], _ shape: Shape, for purpose: String) throws(ComputeError) -> Tensor {
        try makeTensor(copying: values, shape, .float32, for: purpose)
    }

    /// A float64 tensor with these values.
    public func makeTensor(_ values: [Double], _ shape: Shape, for purpose: String) throws(ComputeError) -> Tensor {
        try makeTensor(copying: values, shape, .float64, for: purpose)
    }

    private func makeTensor<Element: BitwiseCopyable>(
        copying values: [Element], _ shape: Shape, _ elementType: ElementType, for purpose: String
    ) throws(ComputeError) -> Tensor {
        guard values.count == shape.count else {
            throw .shape(operation: "makeTensor", operand: purpose, expected: "\(values.count) elements", got: shape)
        }
        let tensor = try makeTensor(shape, elementType, for: purpose)
        try values.withRawSpan { bytes throws(ComputeError) in
            try write(bytes, to: tensor)
        }
        return tensor
    }

    /// The elements of a float32 tensor, row by row.
    public func floats(of tensor: Tensor) throws(ComputeError) -> [Float] {
        try values(of: tensor, .float32, zero: 0)
    }

    /// The elements of a float64 tensor, row by row.
    public func doubles(of tensor: Tensor) throws(ComputeError) -> [Double] {
        try values(of: tensor, .float64, zero: 0)
    }

    /// The elements of a float32 or float64 tensor, row by row.
    public func numbers(of tensor: Tensor) throws(ComputeError) -> [Double] {
        try checkFloatingPoint(tensor, "tensor", in: "read")
        return tensor.elementType == .float64 ? try doubles(of: tensor) : try floats(of: tensor).map { Double($0) }
    }

    /// A tensor of float32 or float64 with these values, rounded where they have to be.
    public func makeTensor(
        rounding values: [Double], _ shape: Shape, _ elementType: ElementType, for purpose: String
    ) throws(ComputeError) -> Tensor {
        elementType == .float64
            ? try makeTensor(values, shape, for: purpose)
            : try makeTensor(values.map { Float($0) }, shape, for: purpose)
    }

    private func values<Element: BitwiseCopyable>(
        of tensor: Tensor, _ elementType: ElementType, zero: Element
    ) throws(ComputeError) -> [Element] {
        try check(tensor, "tensor", elementType, in: "read")
        var packed = tensor
        if !tensor.isContiguous {
            packed = try makeTensor(tensor.shape, elementType, for: "elements to be read")
            try backend.copy(tensor, to: packed)
        }
        var values = [Element](repeating: zero, count: tensor.shape.count)
        var span = values.mutableSpan
        var bytes = unsafe span.mutableBytes
        try read(packed, into: &bytes)
        return values
    }

    /// Overwrites a contiguous tensor with bytes of the same count.
    public func write(_ bytes: RawSpan, to tensor: Tensor) throws(ComputeError) {
        try check(tensor, "tensor", nil, in: "write")
        guard tensor.isContiguous, bytes.byteCount == tensor.elementType.byteCount(of: tensor.shape.count) else {
            throw .shape(operation: "write", operand: "tensor", expected: "\(bytes.byteCount) bytes", got: tensor.shape)
        }
        try unsafe bytes.withUnsafeBytes { source throws(ComputeError) in try unsafe backend.write(source, to: tensor) }
    }

    /// Overwrites a contiguous float64 tensor with as many values.
    public func write(_ values: [Double], to tensor: Tensor) throws(ComputeError) {
        try check(tensor, "tensor", .float64, in: "write")
        guard tensor.isContiguous, values.count == tensor.shape.count else {
            throw .shape(operation: "write", operand: "tensor", expected: "\(values.count) elements", got: tensor.shape)
        }
        try values.withRawSpan { bytes throws(ComputeError) in
            try write(bytes, to: tensor)
        }
    }

    /// Copies the bytes of a contiguous tensor into host memory of the same count.
    public func read(_ tensor: Tensor, into bytes: inout MutableRawSpan) throws(ComputeError) {
        try check(tensor, "tensor", nil, in: "read")
        guard tensor.isContiguous, bytes.byteCount == tensor.elementType.byteCount(of: tensor.shape.count) else {
            throw .shape(operation: "read", operand: "tensor", expected: "\(bytes.byteCount) bytes", got: tensor.shape)
        }
        try unsafe bytes.withUnsafeMutableBytes { destination throws(ComputeError) in
            try unsafe backend.read(tensor, into: destination)
        }
    }

    /// Copies a tensor to one of the same shape and element type.
    public func copy(_ source: Tensor, to destination: Tensor) throws(ComputeError) {
        try check(source, "source", nil, in: "copy")
        try check(destination, "destination", source.elementType, in: "copy")
        try check(destination, "destination", rows: source.rows, columns: source.columns, in: "copy")
        try backend.copy(source, to: destination)
    }

    public func fillZero(_ tensor: Tensor) throws(ComputeError) {
        try check(tensor, "tensor", nil, in: "fillZero")
        try backend.fillZero(tensor)
    }
}

// MARK: Checks

extension Device {
    func check(_ tensor: Tensor, _ operand: String, _ elementType: ElementType?, in operation: String)
        throws(ComputeError)
    {
        guard tensor.storage.owner == identifier else {
            throw .otherDevice(
                operation: operation, operand: operand, expected: identifier, got: tensor.storage.owner)
        }
        if let elementType, tensor.elementType != elementType {
            throw .elementType(
                operation: operation, operand: operand, expected: elementType.rawValue, got: tensor.elementType)
        }
    }

    /// Float32 or float64.
    func checkFloatingPoint(_ tensor: Tensor, _ operand: String, in operation: String) throws(ComputeError) {
        guard tensor.elementType == .float32 || tensor.elementType == .float64 else {
            throw .elementType(operation: operation, operand: operand, expected: "F32 or F64", got: tensor.elementType)
        }
        try check(tensor, operand, nil, in: operation)
    }

    /// Checks for what activations are: float32, float16 or bfloat16.
    func checkActivations(_ tensor: Tensor, _ operand: String, in operation: String) throws(ComputeError) {
        guard tensor.elementType == .float32 || tensor.elementType.isSixteenBits else {
            throw .elementType(
                operation: operation, operand: operand, expected: "F32, F16 or BF16", got: tensor.elementType)
        }
        try check(tensor, operand, nil, in: operation)
    }

    func check(
        _ tensor: Tensor, _ operand: String, rows: Int? = nil, columns: Int? = nil, in operation: String
    ) throws(ComputeError) {
        guard rows ?? tensor.rows == tensor.rows, columns ?? tensor.columns == tensor.columns else {
            let expected = "(\(rows.map(String.init) ?? "any"), \(columns.map(String.init) ?? "any"))"
            throw .shape(operation: operation, operand: operand, expected: expected, got: tensor.shape)
        }
    }

    func checkContiguous(_ tensor: Tensor, _ operand: String, in operation: String) throws(ComputeError) {
        guard tensor.isContiguous else {
            throw .shape(operation: operation, operand: operand, expected: "contiguous rows", got: tensor.shape)
        }
    }
}
