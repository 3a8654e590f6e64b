import CKernels
import Glibc
import Synchronization

/// An open kernel library: the table of its functions.
@safe
final class KernelLibrary: Sendable {
    /// Which of the libraries: kernels for GPUs, or the same for the CPU.
    enum Kind: String, Sendable {
        case cuda
        case emulated

        /// Files of this kind, the preferred first; for GPUs one for each major version of CUDA.
        var fileNames: [String] {
            switch self {
            case .cuda: ["libstraightedge-kernels-cuda13.so", "libstraightedge-kernels-cuda12.so"]
            case .emulated: ["libstraightedge-kernels-emulated.so"]
            }
        }

        /// The preset that builds it.
        var preset: String { rawValue }
    }

    let path: String
    nonisolated(unsafe) let api: UnsafePointer<ck_api>

    private init(path: String, api: UnsafePointer<ck_api>) {
        self.path = path
        unsafe self.api = unsafe api
    }

    private static let open = Mutex<[Kind: KernelLibrary]>([:])

    /// The library of this kind; opened once.
    ///
    /// - Throws: `ComputeError.kernelLibrary`, which names every place that was looked at.
    static func named(_ kind: Kind) throws(ComputeError) -> KernelLibrary {
        if let library = open.withLock({ $0[kind] }) { return library }
        let library = try find(kind)
        open.withLock { $0[kind] = library }
        return library
    }

    private static func find(_ kind: Kind) throws(ComputeError) -> KernelLibrary {
        let places = KernelPlaces.folders(preset: kind.preset)
        var attempts: [String] = []
        for place in places {
            let names = KernelPlaces.isFolder(place) ? kind.fileNames.map { "\(place)/\($0)" } : [place]
            for name in names {
                guard unsafe access(name, R_OK) == 0 else {
                    attempts.append("\(name): no such file")
                    continue
                }
                switch load(name) {
                case .success(let library): return library
                case .failure(let failure): attempts.append("\(name): \(failure.reason)")
                }
            }
        }
        let remedy =
            kind == .cuda
            ? "unpack the kernel library beside this program, or build it with `cmake --preset cuda && cmake --build "
                + "--preset cuda`; its libraries come with CUDA, or with `pip install nvidia-cublas nvidia-cusolver`"
            : "build it with `cmake --preset emulated && cmake --build --preset emulated`"
        throw .kernelLibrary(
            description: "no kernel library for the device '\(kind.rawValue)' could be opened:\n  "
                + attempts.joined(separator: "\n  ") + "\n\(remedy), or name it in STRAIGHTEDGE_KERNELS")
    }

    private struct LoadFailure: Error {
        let reason: String
    }

    /// Opens the file, after the CUDA libraries that it needs where the loader itself does not find them.
    private static func load(_ path: String) -> Result<KernelLibrary, LoadFailure> {
        let first = openTable(path)
        guard case .failure(let failure) = first, failure.reason.contains("libcu") else { return first }
        var reasons = [failure.reason]
        for folder in KernelPlaces.cudaFolders() {
            if let reason = CUDALibraries.preload(folder) {
                reasons.append("\(folder): \(reason)")
                continue
            }
            let again = openTable(path)
            if case .success = again { return again }
            if case .failure(let failure) = again { reasons.append("\(folder): \(failure.reason)") }
        }
        if reasons.count == 1 {
            reasons.append(
                "looked for CUDA's libraries in CUDA_HOME, /usr/local/cuda and Python environments, which have none")
        }
        return .failure(LoadFailure(reason: reasons.joined(separator: "; ")))
    }

    private static func openTable(_ path: String) -> Result<KernelLibrary, LoadFailure> {
        var message = [CChar](repeating: 0, count: 1024)
        guard let api = unsafe ck_open_library(path, &message, Int64(message.count)) else {
            return .failure(LoadFailure(reason: text(message)))
        }
        return .success(unsafe KernelLibrary(path: path, api: api))
    }

    /// What the last failed call of this thread met.
    func lastFailure() -> String {
        var message = [CChar](repeating: 0, count: 1024)
        unsafe api.pointee.describe_error(&message, Int64(message.count))
        return KernelLibrary.text(message)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// CUDA's own libraries in a folder, opened in an order in which each finds those that it needs.
private enum CUDALibraries {
    private static let names = ["libnvJitLink", "libcublasLt", "libcublas", "libcusparse", "libcusolver"]

    /// Opens those that the folder has; why not, where there is none or one fails.
    static func preload(_ folder: String) -> String? {
        var count = 0
        for name in names {
            for path in KernelPlaces.matches("\(folder)/\(name).so.[0-9]*") where !isFullVersion(path) {
                var message = [CChar](repeating: 0, count: 1024)
                if unsafe ck_preload(path, &message, Int64(message.count)) != 0 {
                    return String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
                count += 1
            }
        }
        return count == 0 ? "no CUDA libraries" : nil
    }

    /// Whether the name carries more than a major version: such files are what the shorter names point to.
    private static func isFullVersion(_ path: String) -> Bool {
        path.split(separator: "/").last?.split(separator: ".").count ?? 0 > 3
    }
}
