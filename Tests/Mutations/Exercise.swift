import Compute
import Linearity
import Transformers

/// What came of giving one case to the product: whether it was refused, and whether that is itself a finding.
struct Exercise {
    /// The first error that was thrown; nil where the case was read whole.
    private(set) var refusal: (any Error)?
    /// Something that is wrong although nothing crashed.
    private(set) var complaint: String?

    /// A message has to fit a screen, whatever stands in the file.
    private static let messageByteLimit = 2_000

    /// What `body` gives; nil where it throws, which is as good.
    mutating func attempt<T>(_ body: () throws -> T) -> T? {
        do {
            return try body()
        } catch {
            refusal = refusal ?? error
            inspect(error)
            return nil
        }
    }

    /// As `attempt`, for what is refused in good files too.
    mutating func probe<T>(_ body: () throws -> T) {
        do { _ = try body() } catch { inspect(error) }
    }

    /// Notes that a promise was broken.
    mutating func complain(_ problem: String) { complaint = complaint ?? problem }

    /// Names from files are cut and cannot steer a terminal. Memory that was asked for and could not be had is as bad
    /// as memory that could.
    private mutating func inspect(_ error: any Error) {
        let message = "\(error)"
        if message.utf8.count > Exercise.messageByteLimit { complain("a message of \(message.utf8.count) bytes") }
        if let scalar = message.unicodeScalars.first(where: { $0.properties.generalCategory == .control }) {
            complain(
                "a message with the control character U+\(String(scalar.value, radix: 16)): \(message.prefix(300))")
        }
        switch error {
        case TransformerError.compute(.outOfMemory(let byteCount, let purpose)),
            LinearityError.compute(.outOfMemory(let byteCount, let purpose)):
            complain("\(byteCount) bytes were asked for, for \(purpose)")
        default: break
        }
    }
}
