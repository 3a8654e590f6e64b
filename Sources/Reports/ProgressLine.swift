import Glibc

/// One line on standard error that tells how far long work is, only where a person can see it.
public struct ProgressLine: Sendable {
    private let isShown: Bool

    /// - Parameter isQuiet: Show nothing, even on a terminal.
    public init(isQuiet: Bool) {
        isShown = !isQuiet && isatty(STDERR_FILENO) == 1
    }

    /// Replaces the line.
    public func show(_ text: String) {
        guard isShown else { return }
        ProgressLine.write("\r\u{1B}[K" + text)
    }

    /// Removes the line.
    public func clear() { show("") }

    /// Text to standard error as it is.
    public static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
