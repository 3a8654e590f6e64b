import CKernels

/// The controls of the emulated device, which belong to the process: what fails, in which order lanes run, what is in use.
@safe
package struct Emulation {
    private let api: UnsafePointer<emulation_api>

    /// What is made to fail.
    package enum Failing: String, CaseIterable, Sendable {
        case allocation, hostAllocation, launch, synchronization, libraryCall
    }

    /// What was done since the last reset.
    package struct Counters: Sendable {
        /// How often each has been tried.
        package var tries: [Failing: Int] = [:]
        package var liveAllocationCount = 0
        package var liveHostAllocationCount = 0
    }

    /// - Throws: `ComputeError.kernelLibrary` where the emulation was not built.
    package init() throws(ComputeError) {
        let library = try KernelLibrary.named(.emulated)
        guard let api = unsafe ck_emulation(library.path) else {
            throw .kernelLibrary(description: "\(library.path) is no emulation of this version")
        }
        unsafe self.api = unsafe api
    }

    /// Forgets everything, and lets the given try fail, counted from 1.
    package func reset(failing: Failing? = nil, at number: Int = 0) {
        unsafe api.pointee.reset()
        var options = Emulation.plainOptions
        switch failing {
        case .allocation: options.failing_allocation = UInt64(number)
        case .hostAllocation: options.failing_host_allocation = UInt64(number)
        case .launch: options.failing_launch = UInt64(number)
        case .synchronization: options.failing_synchronization = UInt64(number)
        case .libraryCall: options.failing_library_call = UInt64(number)
        case nil: break
        }
        _ = unsafe api.pointee.configure(&options)
    }

    /// Lets the work of streams run in an order that is drawn from the seed, or in that of the calls where it is nil; work
    /// that is under way is done first.
    package func orderStreams(seed: UInt64?) {
        var options = Emulation.plainOptions
        options.stream_order = Int32((seed == nil ? EMULATION_ORDER_ASCENDING : EMULATION_ORDER_SEEDED).rawValue)
        options.seed = seed ?? 0
        _ = unsafe api.pointee.configure(&options)
    }

    private static var plainOptions: emulation_options {
        var options = emulation_options()
        options.struct_size = UInt64(MemoryLayout<emulation_options>.size)
        return options
    }

    package var counters: Counters {
        var values = emulation_counters()
        values.struct_size = UInt64(MemoryLayout<emulation_counters>.size)
        unsafe api.pointee.read_counters(&values)
        return Counters(
            tries: [
                .allocation: Int(values.allocation_count), .hostAllocation: Int(values.host_allocation_count),
                .launch: Int(values.launch_count), .synchronization: Int(values.synchronization_count),
                .libraryCall: Int(values.library_call_count),
            ], liveAllocationCount: Int(values.live_allocation_count),
            liveHostAllocationCount: Int(values.live_host_allocation_count))
    }
}
