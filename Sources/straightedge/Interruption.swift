import Checkpoints
import Glibc

/// What Ctrl-C says before the program ends, and other requests to end do: files are whole at any moment, and what is not
/// finished goes.
enum Interruption {
    /// What shells add to a signal's number for the exit code of a program that it ended.
    private static let exitCodeBase: Int32 = 128

    /// Kept for the handler, which may neither allocate nor lock.
    private nonisolated(unsafe) static var message: UnsafeMutablePointer<CChar>?

    /// Has an interruption tell how to go on.
    static func explain(_ text: String) {
        unsafe message = strdup("\nstraightedge: interrupted: \(text)\n")
        for number in [SIGINT, SIGTERM, SIGHUP, SIGXFSZ] where number == SIGINT || !isIgnored(number) {
            signal(number) { number in
                if let message = unsafe Interruption.message {
                    unsafe _ = write(STDERR_FILENO, message, strlen(message))
                }
                UnfinishedOutput.removeAll()
                _exit(Interruption.exitCodeBase + number)
            }
        }
    }

    /// Whether whoever started the program wants it to go on, as `nohup` does.
    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
