import Checkpoints
import Glibc

/// What Ctrl-C says before the program ends: files are whole at any moment, and folders that are not finished go.
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
            OutputFolder.removeUnfinished()
            _exit(Interruption.exitCode)
        }
    }
}
