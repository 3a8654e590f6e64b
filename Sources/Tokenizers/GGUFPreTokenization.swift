import Checkpoints

/// What a name in a GGUF file's `tokenizer.ggml.pre` stands for.
///
/// The patterns are those of the models' own tokenizers; where they have none that says it all, they are what llama.cpp
/// does.
struct GGUFPreTokenization {
    let name: String
    var normalizers: [Normalizer] = []
    let steps: [PreTokenizer]
    /// But for the merges.
    var model = BytePairDefinition()
    var decoders: [TokenDecoder] = [.byteLevel]
    /// Where the file does not say it.
    var addsBeginningOfSequence = false

    init?(named name: String) {
        guard
            let known = Self.known.first(where: { known in known.names.contains { ExactString($0) == ExactString(name) }
            })
        else { return nil }
        self.name = name
        steps = known.steps
        model.ignoresMerges = known.ignoresMerges
        addsBeginningOfSequence = known.addsBeginningOfSequence
        guard name == "gemma4" else { return }
        normalizers = [.replace(.literal(" "), with: "\u{2581}")]
        model.fallsBackToBytes = true
        model.takesLineFeedsWhole = true
        decoders = [.replace(.literal("\u{2581}"), with: " "), .byteFallback, .fuse]
    }

    static var names: [String] { known.flatMap(\.names) }

    private struct Known {
        var names: [String]
        var steps: [PreTokenizer]
        var ignoresMerges = false
        var addsBeginningOfSequence = false
    }

    private static let known = [
        Known(
            names: [
                "gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "trillion",
                "granite-docling", "exaone4",
            ], steps: [.byteLevel(addsPrefixSpace: false, usesPattern: true)]),
        Known(
            names: [
                "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2",
            ], steps: [.digits(individually: true), .byteLevel(addsPrefixSpace: false, usesPattern: true)]),
        Known(
            names: [
                "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
            ], steps: patterns(Pattern.llama3), ignoresMerges: true, addsBeginningOfSequence: true),
        Known(names: ["dbrx", "smaug-bpe", "chatglm-bpe"], steps: patterns(Pattern.llama3)),
        Known(names: ["glm4", "glm5"], steps: patterns(Pattern.llama3), ignoresMerges: true),
        Known(
            names: [
                "qwen2", "stablelm2", "deepseek-r1-qwen", "kormo", "megrez", "hunyuan", "solar-open", "grok-2",
            ], steps: patterns(Pattern.qwen2)),
        Known(names: ["qwen35"], steps: patterns(Pattern.qwen35)),
        Known(
            names: ["tekken"], steps: patterns(Pattern.tekken), ignoresMerges: true, addsBeginningOfSequence: true),
        Known(names: ["gpt-4o", "llama4", "kanana2", "minimax-m2"], steps: patterns(Pattern.gpt4o)),
        Known(
            names: ["deepseek-llm"],
            steps: patterns(
                "[\r\n]", "\\s?[\(Pattern.casedLetters)]+",
                "\\s?[!-/:-~\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF5E}\u{2018}-\u{201F}\u{3000}-\u{3002}]+", #"\s+$"#,
                "[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+", #"\p{N}+"#)),
        Known(
            names: ["deepseek-coder"],
            steps: patterns(
                "[\r\n]", #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+",
                #"\p{N}"#)),
        Known(
            names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
            steps: patterns(
                #"\p{N}{1,3}"#, "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+", Pattern.deepSeek3)),
        Known(
            names: ["falcon"], steps: patterns(#"[\p{P}\$\+<=>\^~\|`]+"#, Pattern.gpt2, "[0-9][0-9][0-9]")),
        Known(names: ["bloom", "poro-chat", "gpt3-finnish"], steps: patterns(Pattern.bloom)),
        Known(names: ["viking"], steps: patterns(Pattern.bloom, #"\p{N}"#)),
        Known(
            names: ["gemma4"],
            steps: [.split(.regularExpression(#"[^\n]+|[\n]+"#), .isolated, isInverted: false)],
            addsBeginningOfSequence: true),
    ]

    /// Cut at the matches of each pattern in turn.
    private static func patterns(_ patterns: String...) -> [PreTokenizer] {
        patterns.map { .split(.regularExpression($0), .isolated, isInverted: false) }
            + [.byteLevel(addsPrefixSpace: false, usesPattern: false)]
    }

    private enum Pattern {
        static let gpt2 =
            #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
        private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
        static let llama3 =
            contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces
        static let qwen2 = contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces
        static let qwen35 =
            contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"# + spaces
        private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
        private static let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
        private static let start = #"[^\r\n\p{L}\p{N}]?"#
        static let tekken =
            "\(start)\(upper)*\(lower)+|\(start)\(upper)+\(lower)*"
            + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
        static let gpt4o =
            "\(start)\(upper)*\(lower)+\(contractions)?|\(start)\(upper)+\(lower)*\(contractions)?"
            + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
        static let deepSeek3 =
            ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"## + "\r\n"
            + #"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+["# + "\r\n" + "]*|" + spaces
        static let bloom = #" ?[^(\s|.,!?\#u{2026}\#u{3002}\#u{FF0C}\#u{3001}\#u{964}\#u{6D4}\#u{60C})]+"#
        /// Letters that have case, as DeepSeek's tokenizer lists them.
        static let casedLetters =
            "A-Za-z\u{B5}\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{1BA}\u{1BC}-\u{1BF}\u{1C4}-\u{293}"
            + "\u{295}-\u{2AF}\u{370}-\u{373}\u{376}\u{377}\u{37B}-\u{37D}\u{37F}\u{386}\u{388}-\u{38A}\u{38C}"
            + "\u{38E}-\u{3A1}\u{3A3}-\u{3F5}\u{3F7}-\u{481}\u{48A}-\u{52F}\u{531}-\u{556}\u{10A0}-\u{10C5}"
            + "\u{13A0}-\u{13F5}\u{13F8}-\u{13FD}\u{1C90}-\u{1CBA}\u{1CBD}-\u{1CBF}\u{1D00}-\u{1D2B}"
            + "\u{1D6B}-\u{1D77}\u{1D79}-\u{1D9A}\u{1E00}-\u{1F15}\u{1F18}-\u{1F1D}\u{1F20}-\u{1F45}"
            + "\u{1F48}-\u{1F4D}\u{1F50}-\u{1F57}\u{1F59}\u{1F5B}\u{1F5D}\u{1F5F}-\u{1F7D}\u{1F80}-\u{1FB4}"
            + "\u{1FB6}-\u{1FBC}\u{1FBE}\u{1FC2}-\u{1FC4}\u{1FC6}-\u{1FCC}\u{1FD0}-\u{1FD3}\u{1FD6}-\u{1FDB}"
            + "\u{1FE0}-\u{1FEC}\u{1FF2}-\u{1FF4}\u{1FF6}-\u{1FFC}\u{2102}\u{2107}\u{210A}-\u{2113}\u{2115}"
            + "\u{2119}-\u{211D}\u{2124}\u{2126}\u{2128}\u{212A}-\u{212D}\u{212F}-\u{2134}\u{2139}"
            + "\u{213C}-\u{213F}\u{2145}-\u{2149}\u{214E}\u{2183}\u{2184}\u{2C00}-\u{2C7B}\u{2C7E}-\u{2CE4}"
            + "\u{2CEB}-\u{2CEE}\u{2CF2}\u{2CF3}\u{A640}-\u{A66D}\u{A680}-\u{A69B}\u{A722}-\u{A76F}"
            + "\u{A771}-\u{A787}\u{A78B}-\u{A78E}\u{AB70}-\u{ABBF}\u{FB00}-\u{FB06}\u{FB13}-\u{FB17}"
            + "\u{FF21}-\u{FF3A}\u{FF41}-\u{FF5A}\u{10400}-\u{1044F}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}"
            + "\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}"
    }
}
