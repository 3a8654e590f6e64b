import Glibc

/// What Ctrl-C says before the program ends: nothing has to be put in order, since files are whole at any moment.
enum Interruption {
    /// Exit code of a program that an interruption ended, as shells count it.
    private static let exitCode: Int32 = 130

    /// Kept for the handler, which may neither allocate nor lock.
    private nonisolated(unsafe) static var message: UnsafeMutablePointer<CChar>?

    /// Has an interruption tell how to go on.
    static func explain(_ text: String) {
        unsafe message = strdup("\nstraightedge: interrupted: \(text)\n")
        signal(SIGINT) { _ in
            if let message = unsafe Interruption.message {
                unsafe _ = write(STDERR_FILENO, message, strlen(message))
            }
            _exit(Interruption.exitCode)
        }
    }
}
