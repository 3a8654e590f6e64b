import CKernels

/// A device of a kernel library, with the stream and the handles of its libraries.
@safe
final class KernelContext: Sendable {
    let library: KernelLibrary
    let info: ck_device_info
    nonisolated(unsafe) let pointer: OpaquePointer

    /// - Parameter index: The number of the GPU.
    init(_ library: KernelLibrary, device index: Int32) throws(ComputeError) {
        self.library = library
        info = try KernelContext.infos(library)[Int(index)]
        var context: OpaquePointer?
        try unsafe KernelContext.check(library, "create_context", library.api.pointee.create_context(index, &context))
        guard let context = unsafe context else {
            throw .deviceFailed(operation: "create_context", meaning: "no context came back")
        }
        unsafe pointer = unsafe context
    }

    /// What the library knows of each GPU.
    ///
    /// - Throws: `ComputeError.deviceUnavailable` where there is none.
    static func infos(_ library: KernelLibrary) throws(ComputeError) -> [ck_device_info] {
        var count: Int32 = 0
        try unsafe check(library, "device_count", library.api.pointee.device_count(&count))
        guard count > 0 else { throw .deviceUnavailable(description: "the driver shows no GPU to this process") }
        var infos: [ck_device_info] = []
        for index in 0..<count {
            var info = ck_device_info()
            try unsafe check(library, "device_info", library.api.pointee.device_info(index, &info))
            infos.append(info)
        }
        return infos
    }

    deinit { unsafe library.api.pointee.destroy_context(pointer) }

    /// Throws where a function of the table did not end well.
    func check(_ operation: String, _ status: Int32) throws(ComputeError) {
        try KernelContext.check(library, operation, status)
    }

    private static func check(_ library: KernelLibrary, _ operation: String, _ status: Int32) throws(ComputeError) {
        if status == Int32(CK_OK.rawValue) { return }
        let meaning = library.lastFailure()
        switch status {
        case Int32(CK_OUT_OF_MEMORY.rawValue): throw .outOfMemory(byteCount: 0, purpose: "\(operation) (\(meaning))")
        case Int32(CK_UNAVAILABLE.rawValue): throw .deviceUnavailable(description: meaning)
        case Int32(CK_NOT_CONVERGED.rawValue):
            throw .routine(name: operation, code: Int(status), meaning: meaning)
        default: throw .deviceFailed(operation: operation, meaning: meaning)
        }
    }
}
