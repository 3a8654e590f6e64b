public import ArgumentParser
import Compute
public import Transformers

extension ComputeType: ExpressibleByArgument {}

/// Where and how to compute.
struct DeviceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where to compute: \(Device.knownNames.joined(separator: ", ")).", valueName: "device"))
    var device = "host"

    @Option(
        help: ArgumentHelp(
            "Operands of the forward pass's matrix products: f32, bf16 or f16; sums are float32 (default: f32; on a GPU "
                + "the checkpoint's own, and bf16 where that is quantized).", valueName: "type"))
    var computeType: ComputeType?

    @Option(
        help: ArgumentHelp(
            "Memory to take at most, for instance 500M or 8G (default: 80 % of what is free).", valueName: "bytes"))
    var memory: ByteCount?

    func open() throws -> Device { try Device.named(device) }

    /// The compute type that was asked for, or the default.
    func computeType(of model: DecoderModel, on device: Device) -> ComputeType {
        computeType ?? (device.name == "cuda" ? model.storedComputeType : .f32)
    }

    func validate() throws {
        guard Device.knownNames.contains(device) else {
            throw ValidationError(
                "No device is named '\(device)'; known: \(Device.knownNames.joined(separator: ", ")).")
        }
    }
}
