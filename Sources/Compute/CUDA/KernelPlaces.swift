import Glibc

/// Where kernel libraries, and the CUDA libraries that they need, are looked for.
enum KernelPlaces {
    /// Folders and files, in order: what STRAIGHTEDGE_KERNELS names alone, or beside the program, in the `lib` beside its
    /// folder, and in the build folder of a preset.
    static func folders(preset: String) -> [String] {
        if let named = environment("STRAIGHTEDGE_KERNELS") { return [named] }
        guard let program = programFolder() else { return [] }
        var folders = [program, parent(program) + "/lib"]
        var folder = program
        // The program lies a few folders below the checkout it was built in.
        for _ in 0..<6 where folder != "" {
            let built = "\(folder)/.build-kernels/\(preset)"
            if unsafe access(built, R_OK) == 0 { folders.append(built) }
            folder = parent(folder)
        }
        return folders
    }

    /// Folders that hold cuBLAS: of the toolkit, and of Python environments.
    static func cudaFolders() -> [String] {
        var patterns: [String] = []
        for root in [environment("CUDA_HOME"), environment("CUDA_PATH"), "/usr/local/cuda"] {
            if let root { patterns += ["\(root)/lib64", "\(root)/lib"] }
        }
        let environments = [environment("VIRTUAL_ENV"), environment("CONDA_PREFIX"), "/usr/local", "/usr"]
        for root in environments.compactMap(\.self) + [(environment("HOME") ?? "") + "/.local"] {
            for packages in ["site-packages", "dist-packages"] {
                patterns += ["\(root)/lib/python3*/\(packages)/nvidia/cu1[23]/lib"]
            }
        }
        return patterns.flatMap { matches($0) }.filter { !matches("\($0)/libcublas.so.*").isEmpty }
    }

    static func isFolder(_ path: String) -> Bool {
        guard let folder = unsafe opendir(path) else { return false }
        unsafe closedir(folder)
        return true
    }

    /// Paths of files that match a pattern of the shell.
    static func matches(_ pattern: String) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(unsafe found.gl_pathc)).compactMap { index in
            unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
        }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func programFolder() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        return parent(String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    private static func parent(_ path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }
}
