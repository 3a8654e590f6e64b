/// A GGUF file: a whole model with its tokenizer.
struct GGUFFormat: InputFormat {
    let name = "gguf"

    private static let fileName = "model.gguf"

    func base(_ random: inout RandomSource) -> CaseFiles {
        CaseFiles(Self.fileName, GGUFDocument.tinyModel(&random).bytes)
    }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        var document = GGUFDocument.tinyModel(&random)
        let isBlind = random.once(in: 3)
        if !isBlind { for _ in 0...random.index(3) { document.mutate(&random) } }
        var bytes = document.bytes
        if isBlind || random.once(in: 4) { for _ in 0...random.index(3) { ByteMutation.mutate(&bytes, &random) } }
        return CaseFiles(Self.fileName, bytes)
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        ModelExercise.run(path, &exercise)
    }
}
