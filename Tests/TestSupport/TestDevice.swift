public import Compute
public import Testing

/// A device that tests run on: the CPU, and the kernels of a GPU on the CPU.
public enum TestDevice: String, Sendable, CaseIterable {
    case host
    case emulated

    /// Those that can be opened here; `Scripts/test` builds what the emulation needs.
    public static let available: [TestDevice] = isEmulationBuilt ? [.host, .emulated] : [.host]

    /// Whether the emulated kernels were built.
    public static let isEmulationBuilt = (try? Device.emulated()) != nil

    public func open() throws -> Device {
        switch self {
        case .host: .host()
        case .emulated: try .emulated()
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Leaves a test out, and says so, where the emulated kernels were not built.
    public static var needsEmulation: ConditionTrait {
        .enabled(
            if: TestDevice.isEmulationBuilt,
            "the emulated kernels are not built: cmake --preset emulated && cmake --build --preset emulated")
    }
}
