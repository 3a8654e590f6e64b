import Compute
import Dispatch
import Synchronization
import Tensors
import TestSupport
import Testing

/// What is brought in beside the computing is what would have been brought in before it.
@Suite struct TransferTests {
    private let rows = 24
    private let columns = 96

    /// Stored rows of a tensor: every number is finite.
    private func stored(_ number: Int) -> [UInt16] {
        (0..<rows * columns).map { UInt16(0x3C00 + ($0 * 37 + number * 101) % 0x3FF) ^ UInt16($0 % 2) << 15 }
    }

    private func decode(_ values: [UInt16], with transfer: Transfer, _ type: ElementType) throws -> Tensor {
        let tensor = try transfer.makeTensor([rows, columns], type, for: "weights")
        try transfer.decode(unsafe values.span.bytes, elementType: .float16, into: tensor)
        return tensor
    }

    @Test(arguments: TestDevice.available, [ElementType.float32, .float16, .bfloat16])
    func decodesAsTheDeviceDoes(_ device: TestDevice, type: ElementType) throws {
        let device = try device.open()
        let transfer = try device.makeTransfer()
        let tensors = try (0..<3).map { try decode(stored($0), with: transfer, type) }
        try transfer.finish()
        try device.wait(for: transfer)
        #expect(try transfer.firstNonFiniteRow() == nil)
        for (number, tensor) in tensors.enumerated() {
            let expected = try device.makeTensor([rows, columns], type, for: "weights")
            try device.decode(unsafe stored(number).span.bytes, elementType: .float16, into: expected)
            #expect(try bytes(of: tensor, device) == bytes(of: expected, device))
        }
    }

    private func bytes(of tensor: Tensor, _ device: Device) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: tensor.elementType.byteCount(of: tensor.shape.count) ?? 0)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        try device.read(tensor, into: &raw)
        return bytes
    }

    @Test(arguments: TestDevice.available)
    func saysWhichTensorIsNotFinite(_ device: TestDevice) throws {
        let device = try device.open()
        let transfer = try device.makeTransfer()
        var damaged = stored(1)
        damaged[5 * columns + 7] = 0x7C00
        damaged[20 * columns] = 0x7E00
        _ = try [stored(0), damaged, stored(2), damaged].map { try decode($0, with: transfer, .bfloat16) }
        try transfer.finish()
        let found = try #require(try transfer.firstNonFiniteRow())
        #expect(found == (1, 5))
    }

    @Test(arguments: TestDevice.available)
    func refusesWhatDecodeRefuses(_ device: TestDevice) throws {
        let device = try device.open()
        let transfer = try device.makeTransfer()
        let tensor = try transfer.makeTensor([rows, columns], .float32, for: "weights")
        #expect(throws: ComputeError.self) {
            try transfer.decode(unsafe stored(0).span.bytes, elementType: .float32, into: tensor)
        }
        #expect(throws: ComputeError.self) {
            try transfer.decode(unsafe stored(0).span.bytes, elementType: .float16, into: tensor.columns(0..<5))
        }
        #expect(throws: ComputeError.self) { try transfer.makeTensor([33], .q8_0, for: "weights") }
        if device.name == "host" { return }
        let other = try Device.host(laneCount: 1).makeTensor([rows, columns], .float32, for: "weights")
        #expect(throws: ComputeError.self) {
            try transfer.decode(unsafe stored(0).span.bytes, elementType: .float16, into: other)
        }
    }

    /// Sums of what one thread brings in while another one adds, as a forward pass does it.
    private func sum(of count: Int, on device: Device) throws -> [Float] {
        let queue = DispatchQueue(label: "transfers")
        let next = Mutex<(Transfer, Tensor)?>(nil)
        let isReady = DispatchSemaphore(value: 0)
        func bringIn(_ number: Int) {
            let (values, columns, rows) = (stored(number), columns, rows)
            queue.async {
                let made = try? {
                    let transfer = try device.makeTransfer()
                    let tensor = try transfer.makeTensor([rows, columns], .float32, for: "weights")
                    try transfer.decode(unsafe values.span.bytes, elementType: .float16, into: tensor)
                    try transfer.finish()
                    return (transfer, tensor)
                }()
                next.withLock { $0 = made }
                isReady.signal()
            }
        }
        let sum = try device.makeZeros([rows, columns], .float32, for: "a sum")
        bringIn(0)
        for number in 0..<count {
            isReady.wait()
            let (transfer, tensor) = try #require(next.withLock { $0 })
            bringIn(number + 1)
            try device.wait(for: transfer)
            try device.add(sum, tensor, into: sum)
        }
        isReady.wait()
        return try device.floats(of: sum)
    }

    @Test func whatIsAddedWhileTheNextIsBroughtInIsRight() throws {
        var results: [[Float]] = []
        for device in TestDevice.available { results.append(try sum(of: 5, on: device.open())) }
        #expect(results.allSatisfy { $0 == results[0] })
        #expect(results[0].contains { $0 != 0 } && results[0].allSatisfy { $0.isFinite })
    }

    @Test(.needsEmulation) func theOrderOfStreamsChangesNothing() throws {
        let emulation = try Emulation()
        defer { emulation.orderStreams(seed: nil) }
        let expected = try sum(of: 3, on: .host(laneCount: 1))
        for seed in UInt64(1)...6 {
            emulation.orderStreams(seed: seed)
            #expect(try sum(of: 3, on: .emulated()) == expected)
        }
    }
}
