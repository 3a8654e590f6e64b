import Glibc
public import Linearity

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

extension Analysis.Progress: CustomStringConvertible {
    /// Seconds until the last layer is done, as far as the layers so far tell.
    public var secondsLeft: Double { seconds / measuredLayerCount * Double(layerCount - completedLayerCount) }

    public var description: String {
        let rate = Double(tokenCount) * measuredLayerCount / Double(layerCount) / max(seconds, 1e-9)
        return "layer \(completedLayerCount) of \(layerCount), \(Text.count(Int(rate))) tokens/s, "
            + "\(Text.duration(secondsLeft)) left"
    }

    /// Layers that were measured before are only computed again, or not at all.
    private var measuredLayerCount: Double { max(1, Double(completedLayerCount - resumedLayerCount)) }
}
