import Glibc

/// Where files are that nobody is to find.
enum Temporary {
    /// A path in the system's folder for them.
    static func path(_ name: String) -> String {
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        return "\(folder)/straightedge-\(getpid())-\(name)"
    }
}
