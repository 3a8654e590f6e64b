import Checkpoints
import Compute

/// One safetensors file by itself.
struct SafetensorsFormat: InputFormat {
    let name = "safetensors"

    private static let fileName = "model.safetensors"

    func base(_ random: inout RandomSource) -> CaseFiles {
        CaseFiles(Self.fileName, Self.document(&random).bytes)
    }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        var document = Self.document(&random)
        let isBlind = random.once(in: 3)
        if !isBlind { for _ in 0...random.index(3) { document.mutate(&random) } }
        var files = CaseFiles(Self.fileName, document.bytes)
        if isBlind || random.once(in: 4) { files.mutateBytes(&random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        guard let file = exercise.attempt({ try SafetensorsFile(path) }) else { return }
        let device = Device.host(laneCount: 1)
        _ = file.metadata.map(\.value)
        for name in file.tensorNames.prefix(1_000) {
            guard let tensor = exercise.attempt({ try file.tensor(name) }) else { continue }
            ModelExercise.decode(tensor, device, &exercise)
        }
        exercise.probe { try file.tensor("absent") }
    }

    private static func document(_ random: inout RandomSource) -> SafetensorsDocument {
        let shapes = [[], [0], [1], [7], [3, 5], [2, 3, 4], [4, 0, 2]]
        let weights = shapes.enumerated().map { TinyModel.Weight(name: "tensor.\($0)", shape: $1) }
        return SafetensorsDocument(weights, &random)
    }
}
