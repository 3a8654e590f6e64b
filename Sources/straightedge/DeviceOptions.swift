import ArgumentParser
import Compute

/// Element type of the operands of matrix products.
enum ComputeType: String, ExpressibleByArgument, CaseIterable {
    case f32
}

/// Where and how to compute.
struct DeviceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where to compute: \(Device.knownNames.joined(separator: ", ")).", valueName: "device"))
    var device = "host"

    @Option(help: "Operands of matrix products; sums are float32 or wider.")
    var computeType: ComputeType = .f32

    @Option(
        help: ArgumentHelp(
            "Memory to take at most, for instance 500M or 8G (default: 80 % of what is free).", valueName: "bytes"))
    var memory: ByteCount?

    func open() throws -> Device { try Device.named(device) }

    func validate() throws {
        guard Device.knownNames.contains(device) else {
            throw ValidationError(
                "No device is named '\(device)'; known: \(Device.knownNames.joined(separator: ", ")).")
        }
    }
}
