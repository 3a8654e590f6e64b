import CKernels

/// The GPUs that the kernels for them can be run on, in words.
public enum GPUSurvey {
    /// A line for each GPU, then one for the libraries; or one that says why there is none.
    public static func lines() -> [String] {
        do throws(ComputeError) {
            let library = try KernelLibrary.named(.cuda)
            let infos = try KernelContext.infos(library)
            return infos.enumerated().map { describe($0.offset, $0.element) }
                + infos.prefix(1).map { "kernels \(library.path); \(versions($0))" }
        } catch .kernelLibrary {
            return ["none can be used: no kernel library for GPUs could be opened; --device cuda says which, and why"]
        } catch {
            return ["none: \(error)"]
        }
    }

    private static func describe(_ index: Int, _ info: ck_device_info) -> String {
        "\(index): \(info.nameText), compute capability \(info.compute_major).\(info.compute_minor), "
            + "\(info.multiprocessor_count) multiprocessors, \(info.memory_byte_count >> 30) GiB"
    }

    private static func versions(_ info: ck_device_info) -> String {
        func version(_ number: Int32, _ unit: Int32) -> String { "\(number / unit).\(number / (unit / 100) % 100)" }
        return "driver for CUDA \(info.driver_version / 1000).\(info.driver_version / 10 % 100), cuBLAS "
            + "\(version(info.cublas_version, 10_000)), cuSOLVER \(version(info.cusolver_version, 1000))"
    }
}

extension ck_device_info {
    /// The name that the driver gives.
    var nameText: String {
        unsafe withUnsafeBytes(of: name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
