import Checkpoints
import Compute
import Glibc
import Testing

@testable import Transformers

/// Settings that no model has, and names that no writer writes: each is refused, and the message is one that can be shown.
@Suite("Hostile settings and names")
struct HostileModelTests {
    private func refusal(_ member: String) throws -> String {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: member)
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        return "\(try #require(error))"
    }

    @Test(
        "a number that float32 makes zero or infinite is refused by its key",
        arguments: [
            ("\"rms_norm_eps\": 1e300", "rms_norm_eps"), ("\"rms_norm_eps\": 1e-60", "rms_norm_eps"),
            ("\"rms_norm_eps\": -1", "rms_norm_eps"), ("\"rms_norm_eps\": 0", "rms_norm_eps"),
            ("\"rope_parameters\": {\"rope_theta\": 1e300}", "rope_theta"),
            ("\"rope_parameters\": {\"rope_theta\": 1e-300}", "rope_theta"),
            ("\"rope_parameters\": {\"rope_theta\": 0}", "rope_theta"),
            ("\"rope_parameters\": null, \"rope_theta\": 1e300", "rope_theta"),
            ("\"rope_parameters\": null, \"rope_theta\": 0.5", "rope_theta"),
        ])
    func floats(member: String, key: String) throws {
        #expect(try refusal(member).contains(key))
    }

    @Test(
        "NaN, infinity, zero and a negative number in GGUF metadata are refused by their key",
        arguments: ["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"],
        [Float.nan, .infinity, -.infinity, 0, -0.0, -1, .leastNonzeroMagnitude / 2])
    func metadataFloats(key: String, value: Float) throws {
        let error = #expect(throws: TransformerError.self) {
            try Self.withMetadata(key, value) { path in try DecoderModel(Checkpoint.open(path)) }
        }
        #expect("\(try #require(error))".contains(key))
    }

    @Test("a null setting stands for its default")
    func nulls() throws {
        let plan = try Fixture.model("llama-tied").plan
        let folder = try TemporaryModel(
            copying: "llama-tied",
            addingToConfig:
                "\"rope_scaling\": null, \"quantization_config\": null, \"mlp_bias\": null, \"future\": null")
        #expect(try DecoderModel(Checkpoint.open(folder.path)).plan == plan)
    }

    @Test(
        "a count of layers or heads alone makes nothing: it is refused before names or memory are made for it",
        arguments: [
            ("\"num_hidden_layers\": 16777216", "layers"), ("\"num_hidden_layers\": 2147483647", "layers"),
            ("\"num_attention_heads\": 1048576, \"head_dim\": 2", "num_attention_heads"),
            ("\"num_attention_heads\": 2147483647", "num_attention_heads"), ("\"num_attention_heads\": 64", "q_proj"),
            ("\"num_attention_heads\": 0", "num_attention_heads"),
            ("\"num_key_value_heads\": 0", "num_key_value_heads"),
            ("\"num_key_value_heads\": -2", "num_key_value_heads"), ("\"head_dim\": 0", "head_dim"),
            ("\"head_dim\": 2147483648", "head_dim"),
        ])
    func counts(member: String, key: String) throws {
        #expect(try refusal(member).contains(key))
    }

    @Test(
        "what stands in the file is cut in messages and cannot steer a terminal",
        arguments: [
            "\"model_type\": \"NAME\"", "\"hidden_act\": \"NAME\"", "\"NAME\": 1",
            "\"rope_scaling\": {\"type\": \"NAME\"}", "\"rope_scaling\": {\"NAME\": 1}",
            "\"rope_interleaved\": [\"NAME\"]",
        ])
    func messages(member: String) throws {
        let name = "\\u001b[2J\u{7F}\u{9B}" + String(repeating: "x", count: 100_000)
        let message = try refusal(member.split(separator: "NAME").joined(separator: name))
        #expect(message.utf8.count < 1_000, "\(message.prefix(1_000))")
        #expect(message.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test("a tensor's name is cut in messages and cannot steer a terminal")
    func tensorNames() {
        let name = "\u{1B}[2J" + String(repeating: "x", count: 100_000)
        let message = "\(TransformerError.unexpectedTensor(path: "model.gguf", name: name, family: "llama"))"
        #expect(message.contains("\\u{1B}[2Jxxx") && message.utf8.count < 1_000)
    }

    /// Calls `body` with a copy of a GGUF fixture in which a float of the metadata has another value.
    private static func withMetadata<T>(_ key: String, _ value: Float, _ body: (String) throws -> T) throws -> T {
        let file = try MappedFile(Fixture.path("llama-gguf/F16.gguf"))
        var bytes = unsafe Array(file.bytes)
        let start = try #require(
            bytes.indices.first { bytes[$0...].starts(with: key.utf8) && bytes[$0 + key.utf8.count] == 6 })
        let place = start + key.utf8.count + 4
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * index)) }
        var template = Array("/tmp/straightedge-test-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        defer { close(descriptor) }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unsafe unlink(path) }
        try #require(unsafe write(descriptor, bytes, bytes.count) == bytes.count)
        return try body(path)
    }
}
