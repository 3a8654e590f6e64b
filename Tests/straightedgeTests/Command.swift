import Glibc
import TestSupport
import Testing

/// Runs the command that was built with these tests.
enum Command {
    struct Outcome {
        let exitCode: Int32
        let output: String
        let errors: String
    }

    static let rowNames = [
        "layer", "site", "n", "linearity", "linearity_without_residual", "linearity_heldout",
        "linearity_heldout_standard_error", "linearity_without_residual_heldout",
        "linearity_without_residual_heldout_standard_error", "linearity_adjusted",
        "linearity_without_residual_adjusted", "chance_floor", "linearity_if_contribution_unrelated", "rank",
        "rank_cutoff", "condition_number", "orthogonal_procrustes", "contribution_mean", "contribution_to_output_mean",
        "cosine_mean", "angular_distance_mean", "anisotropy", "stream_norm_mean",
    ]

    static func fixture(_ name: String) -> String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
            + "/TransformersTests/Fixtures/\(name)"
    }

    static func ownFixture(_ name: String) -> String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/Fixtures/\(name)"
    }

    static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    static func tokenLines(sequences: Int, length: Int) -> String {
        var state: UInt64 = 1
        return (0..<sequences).map { _ in
            let ids = (0..<length).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return String(state >> 58)
            }
            return "[\(ids.joined(separator: ","))]\n"
        }.joined()
    }

    /// - Parameter environment: Variables that are set besides those of the tests.
    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        let folder = try TemporaryFolder()
        let (output, errors) = ("\(folder.path)/output", "\(folder.path)/errors")
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o600)
        var pointers = unsafe (["straightedge"] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        var variables = unsafe environment.map { unsafe strdup("\($0)=\($1)") }
        defer { unsafe variables.forEach { unsafe free($0) } }
        // The first of a name counts.
        var inherited = unsafe environ
        while let variable = unsafe inherited.pointee {
            unsafe variables.append(strdup(variable))
            unsafe inherited += 1
        }
        unsafe variables.append(nil)
        var child = pid_t()
        let status = unsafe posix_spawn(&child, executablePath(), &actions, nil, &pointers, variables)
        try #require(status == 0, "the command could not be started")
        var ended = Int32(0)
        while unsafe waitpid(child, &ended, 0) < 0 && errno == EINTR {}
        // The low seven bits name the signal that ended it.
        try #require(ended & 0x7F == 0, "the command was ended by signal \(ended & 0x7F)")
        return Outcome(
            exitCode: (ended >> 8) & 0xFF, output: try folder.text("output"), errors: try folder.text("errors"))
    }

    /// Beside the test bundle, which is what runs or an argument of what runs.
    private static func executablePath() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let runner = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let candidates = [runner] + CommandLine.arguments
        for path in candidates {
            let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            if unsafe access("\(folder)/straightedge", X_OK) == 0 { return "\(folder)/straightedge" }
        }
        return "straightedge"
    }
}
