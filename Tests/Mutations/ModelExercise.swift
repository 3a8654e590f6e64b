import Checkpoints
import Compute
import Tensors
import Tokenizers
import Transformers

/// What the product does with a model: all that is read of a checkpoint, its tokenizer, and a forward pass.
enum ModelExercise {
    static func run(_ path: String, _ exercise: inout Exercise) {
        guard let checkpoint = exercise.attempt({ try Checkpoint.open(path) }) else { return }
        // One lane and a device of its own, so that no case finds memory that another one left.
        let device = Device.host(laneCount: 1)
        describe(checkpoint)
        if case .gguf(let file) = checkpoint.format { read(file.metadata, &exercise) }
        for name in checkpoint.tensorNames.prefix(tensorLimit) {
            guard let tensor = exercise.attempt({ try checkpoint.tensor(name) }) else { continue }
            decode(tensor, device, &exercise)
        }
        if let tokenizer = exercise.attempt({ try Tokenizer(checkpoint) }) {
            TokenizerExercise.run(tokenizer, &exercise)
        }
        forward(checkpoint, device, &exercise)
    }

    /// Tensors and metadata that are looked at in each case: a swollen file has many of the same.
    private static let tensorLimit = 1_000
    /// Elements of a tensor that are decoded.
    private static let elementLimit = 1 << 16

    private static func describe(_ checkpoint: Checkpoint) {
        _ = checkpoint.name
        _ = checkpoint.byteCount
        _ = checkpoint.parameterCount
        _ = checkpoint.elementTypeCounts
        _ = checkpoint.fingerprint()
    }

    // MARK: Metadata

    private static func read(_ metadata: GGUFMetadata, _ exercise: inout Exercise) {
        for key in metadata.keys.prefix(tensorLimit) {
            if case .array(let array)? = metadata[key] { read(array) }
            // Most keys are of another kind than most accessors, and that is refused without harm.
            exercise.probe { try metadata.integerIfPresent(key) }
            exercise.probe { try metadata.number(key) }
            exercise.probe { try metadata.boolIfPresent(key) }
            exercise.probe { try metadata.string(key) }
            exercise.probe { try metadata.integersIfPresent(key) }
            exercise.probe { try metadata.numbers(key) }
            exercise.probe { try metadata.stringsIfPresent(key)?.count }
            _ = metadata[key]?.kind
        }
        exercise.probe { try metadata.integers("absent") }
    }

    private static func read(_ array: GGUFArray) {
        _ = array.integers?.count
        _ = array.numbers?.count
        _ = array.bools?.count
        if let strings = array.strings {
            for index in strings.indices.prefix(tensorLimit) { _ = (strings[index], strings.string(at: index)) }
        }
        for inner in array.arrays.prefix(tensorLimit) { read(inner) }
    }

    // MARK: Tensors

    static func decode(_ tensor: StoredTensor, _ device: Device, _ exercise: inout Exercise) {
        // Reads every byte; the first and the last are what a wrong range would miss.
        let sum = unsafe tensor.withBytes { unsafe $0.reduce(into: UInt64(0)) { $0 &+= UInt64($1) } }
        withExtendedLifetime(sum) {}
        let type = tensor.elementType
        guard let byteCount = type.byteCount(of: tensor.elementCount), byteCount == tensor.byteCount else {
            exercise.complain("tensor \(tensor.name.quoted) has \(tensor.byteCount) bytes for its shape")
            return
        }
        let count = min(tensor.elementCount, elementLimit) / type.blockElementCount * type.blockElementCount
        guard count > 0, let part = type.byteCount(of: count) else { return }
        _ = exercise.attempt {
            let result = try device.makeTensor([count], .float32, for: "a decoded tensor")
            try unsafe tensor.withBytes { bytes in
                try unsafe device.decode(
                    UnsafeRawBufferPointer(rebasing: bytes.prefix(part)).bytes, elementType: type, into: result)
            }
            _ = try device.firstNonFiniteRow(result)
        }
    }

    // MARK: The forward pass

    private static func forward(_ checkpoint: Checkpoint, _ device: Device, _ exercise: inout Exercise) {
        guard let model = exercise.attempt({ try DecoderModel(checkpoint) }) else { return }
        let plan = model.plan
        _ = (model.parameterCount, plan.operationCount(averageKeyCount: 2))
        let layout = SequenceLayout(lengths: [3, 1])
        _ = Forward.workingByteCount(plan: plan, slabTokenCount: 4, device: device, computeType: .f32, longest: 3)
        let ids = [0, 1, 2, Int32(clamping: plan.vocabularySize - 1)]
        _ = exercise.attempt {
            let forward = try Forward(model: model, device: device, layout: layout)
            let stream = try forward.apply(0, to: forward.embed(ids))
            let normed = try forward.finalNorm(stream)
            let logits = try forward.logits(of: normed, rows: 2..<4, head: forward.outputHead())
            return try device.floats(of: logits).count
        }
    }
}
