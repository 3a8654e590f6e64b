import Glibc

/// A worker as its supervisor sees it.
struct WorkerProcess {
    /// How a worker ended.
    enum End {
        case exit(Int32)
        case signal(Int32)
    }

    private let identifier: pid_t

    private static let environment = [
        // Backtraces take seconds, and a finding is run again anyway.
        ("SWIFT_BACKTRACE", "enable=no"),
        // What is freed goes back to the system, so that no case lives on what another one left.
        ("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072"),
    ]

    /// Starts this program again with these arguments; its standard error goes to a file.
    init(arguments: [String], errors: String) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        let words = ["mutations"] + arguments
        var pointers = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        for (name, value) in Self.environment { unsafe setenv(name, value, 1) }
        var child: pid_t = 0
        let status = unsafe posix_spawn(&child, "/proc/self/exe", &actions, nil, &pointers, environ)
        guard status == 0 else { throw Disk.Failure(call: "posix_spawn", code: status) }
        identifier = child
    }

    /// How it ended, or nil while it runs.
    func end() throws -> End? {
        var status: Int32 = 0
        let waited = unsafe waitpid(identifier, &status, WNOHANG)
        try Disk.check(waited, "waitpid")
        guard waited != 0 else { return nil }
        return status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
    }

    /// Ends it, and waits until it is gone.
    func kill() {
        Glibc.kill(identifier, SIGKILL)
        var status: Int32 = 0
        unsafe _ = waitpid(identifier, &status, 0)
    }
}
