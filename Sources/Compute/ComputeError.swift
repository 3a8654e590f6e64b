public import Tensors

/// What can go wrong on a device. Shapes and types are checked before any kernel runs; the rest comes from outside.
public enum ComputeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An operand has another shape than the operation needs.
    case shape(operation: String, operand: String, expected: String, got: Shape)
    /// An operand has another element type than the operation handles.
    case elementType(operation: String, operand: String, expected: String, got: ElementType)
    /// A tensor belongs to another device.
    case otherDevice(operation: String, operand: String, expected: DeviceIdentifier, got: DeviceIdentifier)
    /// A number is none that the operation is defined for.
    case value(operation: String, name: String, expected: String, got: String)
    /// An index lies outside the rows of a table.
    case index(operation: String, index: Int, count: Int)
    /// Memory could not be had.
    case outOfMemory(byteCount: Int, purpose: String)
    /// A routine of BLAS or LAPACK reported a failure.
    case routine(name: String, code: Int, meaning: String)
    /// No kernel library could be opened; the text names every place that was looked at.
    case kernelLibrary(description: String)
    /// There is no such device, or its driver cannot be used.
    case deviceUnavailable(description: String)
    /// The device failed, and answers nothing any more.
    case deviceFailed(operation: String, meaning: String)
    /// No device has that name.
    case unknownDevice(name: String, known: [String])

    public var description: String {
        switch self {
        case .shape(let operation, let operand, let expected, let got):
            "\(operation): \(operand) has shape \(got), expected \(expected)"
        case .elementType(let operation, let operand, let expected, let got):
            "\(operation): \(operand) has element type \(got.rawValue), expected \(expected)"
        case .otherDevice(let operation, let operand, let expected, let got):
            "\(operation): \(operand) lives on device \(got.name):\(got.index), expected \(expected.name):\(expected.index)"
        case .value(let operation, let name, let expected, let got):
            "\(operation): \(name) is \(got), expected \(expected)"
        case .index(let operation, let index, let count):
            "\(operation): index \(index) lies outside 0..<\(count)"
        case .outOfMemory(let byteCount, let purpose):
            "out of memory: \(byteCount) bytes for \(purpose) could not be had; "
                + "give a smaller --memory, fewer --sequences, or a machine with more"
        case .routine(let name, let code, let meaning):
            "\(name) failed with code \(code): \(meaning)"
        case .kernelLibrary(let description): description
        case .deviceUnavailable(let description):
            "the device cannot be used: \(description); `nvidia-smi` shows what the driver sees"
        case .deviceFailed(let operation, let meaning):
            "the device failed in \(operation): \(meaning); nothing more can be computed on it in this process"
        case .unknownDevice(let name, let known):
            "no device is named '\(name)'; known: \(known.joined(separator: ", "))"
        }
    }
}
