import ArgumentParser
import Checkpoints
import Compute
import LinearAlgebra
import Linearity
import Pruning
import Reports
import Tokenizers
import Transformers

struct Fit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit linear maps that can stand in the place of a model's layers.",
        discussion: """
            For every layer, or every block of layers, the map y ≈ x·A + b of the stream that enters it to the one that \
            leaves it, over the tokens of a text. Shows how well each does, on the tokens of the fit and held out, and \
            writes one safetensors file: layers.I.weight (A, inputs by outputs) and layers.I.bias for layer I or the \
            block that begins there, layers.I.attention.weight and layers.I.mlp.weight for sublayers, and in the \
            metadata what they are and their scores. torch.nn.Linear holds the transpose: linear.weight = weight.T.

            Kinds of maps: least-squares; ridge or ridge:ALPHA, which shrinks A towards the identity (ALPHA is that of \
            scikit-learn's Ridge); low-rank or low-rank:K, A being the identity and a matrix of rank K; diagonal; \
            orthogonal, with one scale. Without ALPHA or K the one of smallest held-out error is taken.

            EXAMPLES
              straightedge fit model.gguf --text enwiki.txt --out maps.safetensors
              straightedge fit model.gguf --text enwiki.txt --layers 8:12,20 --fit ridge --out maps.safetensors
              straightedge fit model.gguf --tokens ids.jsonl --layers 20:28 --block 4 --out maps.safetensors
              straightedge fit model.gguf --text enwiki.txt --site attention,mlp --fit low-rank:64 --out maps.safetensors
            """)

    @OptionGroup var model: ModelArgument
    @OptionGroup(title: "Tokens") var corpus: CorpusOptions
    @OptionGroup(title: "Fitting") var fitting: FittingOptions
    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Option(
        help: ArgumentHelp("File for the maps.", valueName: "file.safetensors"),
        completion: .file(extensions: ["safetensors"]))
    var out: String

    @Option(help: "Element type of the maps in the file: f32 or f64.")
    var type = MapElementType.f32

    @Flag(help: "Replace a file that exists.")
    var force = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        if !out.hasSuffix(".safetensors") { throw ValidationError("--out needs a name in .safetensors.") }
    }

    func run() throws {
        try Failure.reporting {
            var stopwatch = Stopwatch()
            let device = try self.device.open()
            let model = try self.model.open()
            let settings = try fitting.settings(computing: self.device, model, device)
            // Before hours are spent: is it taken, can it be written there?
            _ = try WholeFile(path: out, replaces: force)
            let progress = ProgressLine(isQuiet: quiet)
            defer { progress.clear() }
            progress.show("reading the text")
            let corpus = try self.corpus.load(for: model)
            Interruption.explain("nothing was written; the same command begins anew")
            let run = try LayerFitting(model: model, device: device, settings: settings).run(
                tokens: corpus.sequences.flatMap { $0 },
                layout: SequenceLayout(lengths: corpus.sequences.map(\.count)))
            let file = try MapFile(
                path: out, replaces: force, type: type, settings: settings, model: model, corpus: corpus, device: device
            )
            var rows: [MapTable.Row] = []
            progress.show("layer 0 …")
            while let map = try run.next() {
                if let warning = map.fitted.warning { warn(warning, of: map, progress) }
                try file.write(map)
                rows.append(MapTable.Row(map))
                progress.show("\(map.place) done")
            }
            progress.clear()
            try file.finish()
            if !quiet { show(rows, corpus, settings, seconds: stopwatch.lap()) }
        }
    }

    private func warn(_ warning: String, of map: LayerFitting.PlacedMap, _ progress: ProgressLine) {
        progress.clear()
        Failure.warn("\(map.place): \(warning)")
    }

    private func show(
        _ rows: [MapTable.Row], _ corpus: Corpus, _ settings: LayerFitting.Settings, seconds: Double
    ) {
        print(MapTable(rows: rows, kind: settings.kind).text())
        print("")
        print(
            "\(Text.count(corpus.tokenCount)) tokens in \(corpus.sequences.count) sequences, \(Text.duration(seconds)); "
                + "peak memory \(Text.bytes(HostResources.peakResidentByteCount())).")
        print("Maps: \(out)")
    }
}

/// How numbers of maps are written.
enum MapElementType: String, ExpressibleByArgument, CaseIterable {
    case f32, f64
}
