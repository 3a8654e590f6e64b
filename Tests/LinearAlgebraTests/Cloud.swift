import Checkpoints
import Compute
import LinearAlgebra
import Tensors

/// A pair of point clouds from `Fixtures/make_fixtures.py`, and what numpy found in them.
struct Cloud: Sendable, CustomStringConvertible {
    let description: String
    let rows: Int
    let width: Int
    let x: [Float]
    let y: [Float]
    /// The minimum-norm maps for B and for Y.
    private(set) var maps: [MomentTarget: [Double]] = [:]
    /// numpy's figures.
    let expected: JSON

    static let names = [
        "random", "rank_deficient", "repeated", "barely_enough", "constant_columns", "ill_conditioned", "large_pivots",
        "graded", "unchanged", "large_contribution", "offset", "reflection",
    ]

    init(_ name: String) throws {
        let file = try SafetensorsFile(Cloud.fixtures + "clouds.safetensors")
        try self.init(
            name, in: file, expected: try JSON.read(Cloud.fixtures + "expected.json")[name] ?? .null)
        maps = [
            .contribution: Cloud.elements(try file.tensor("\(name).map_contribution"), as: Double.self),
            .output: Cloud.elements(try file.tensor("\(name).map_output"), as: Double.self),
        ]
    }

    init(_ name: String, in file: SafetensorsFile, expected: JSON) throws {
        let stored = try file.tensor("\(name).x")
        description = name
        (rows, width) = (stored.shape[0], stored.shape[1])
        x = Cloud.elements(stored, as: Float.self)
        y = Cloud.elements(try file.tensor("\(name).y"), as: Float.self)
        self.expected = expected
    }

    static let fixtures =
        "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Fixtures/"

    static func elements<Element: BitwiseCopyable>(_ stored: StoredTensor, as type: Element.Type) -> [Element] {
        let bytes = unsafe stored.bytes
        return (0..<stored.elementCount).map {
            unsafe bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.stride, as: type)
        }
    }

    /// A figure of numpy's; NaN where it gave none.
    func number(_ keys: String...) -> Double {
        keys.reduce(expected) { $0[$1] ?? .null }.number ?? .nan
    }

    /// What the first 64 rows say.
    func estimate(_ device: Device) throws -> MomentEstimate {
        try MomentEstimate(
            device: device, x: try tensor(x, device), y: try tensor(y, device),
            rows: (0..<Int32(min(64, rows))).map(\.self))
    }

    /// The moments of some rows, added in panels of at most 50; the target is the estimate's unless it is given.
    func moments(
        _ device: Device, _ precision: MomentPrecision = .float64, rows range: Range<Int>? = nil,
        target: MomentTarget? = nil
    ) throws -> Moments {
        let estimate = try estimate(device)
        let panels = try PanelWorkspace(device: device, capacity: 50, width: width, precision: precision)
        var shifts = estimate.shifts
        if let target, target != estimate.target {
            let means = (0..<width).map { column -> Float in
                let values = (0..<min(64, rows)).map { row in
                    let place = row * width + column
                    return target == .output ? y[place] : y[place] - x[place]
                }
                return values.reduce(0, +) / Float(values.count)
            }
            shifts = PanelShifts(x: shifts.x, target: try device.makeTensor(means, [width], for: "shifts"))
        }
        var accumulator = try MomentAccumulator(
            device: device, target: target ?? estimate.target, shifts: shifts)
        let (inputs, outputs) = (try tensor(x, device), try tensor(y, device))
        let range = range ?? 0..<rows
        for begin in stride(from: range.lowerBound, to: range.upperBound, by: 50) {
            let part = Int32(begin)..<Int32(min(begin + 50, range.upperBound))
            try accumulator.add(x: inputs, y: outputs, rows: Array(part), panels: panels)
        }
        return try accumulator.moments()
    }

    private func tensor(_ values: [Float], _ device: Device) throws -> Tensor {
        try device.makeTensor(values, [rows, width], for: "a cloud")
    }
}
