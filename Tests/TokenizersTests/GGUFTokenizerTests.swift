import Checkpoints
import Testing

@testable import Tokenizers

@Suite struct GGUFTokenizerTests {
    /// The fixture without bytes, as a GGUF file, with a control and a user-defined token at its end.
    private func builder(pre: String? = "smollm", without key: String = "") throws -> GGUFBuilder {
        let model = try Fixtures.json("holes.json")["model"] ?? .null
        let vocabulary = (model["vocab"]?.object?.members ?? []).sorted {
            ($0.value.integer ?? 0) < ($1.value.integer ?? 0)
        }
        let merges = (model["merges"]?.array ?? []).map { merge in
            (merge.array ?? []).compactMap(\.string).joined(separator: " ")
        }
        var builder = GGUFBuilder()
        builder.add("model", "gpt2")
        if let pre { builder.add("pre", pre) }
        if key != "tokens" { builder.add("tokens", vocabulary.map(\.key) + ["<|a b|>", "<user>"]) }
        if key != "token_type" { builder.add("token_type", vocabulary.map { _ in Int32(1) } + [3, 4]) }
        if key != "merges" { builder.add("merges", merges) }
        return builder
    }

    private func tokenizer(_ builder: GGUFBuilder) throws -> Tokenizer {
        try Tokenizer(TokenizerDefinition(builder.open()))
    }

    @Test func idsAreThoseOfTheSameTokenizerJSON() throws {
        let tokenizer = try tokenizer(builder())
        for example in try Fixtures.cases("holes") {
            #expect(try tokenizer.encode(example.text) == example.ids, "\(example.text.debugDescription)")
        }
        #expect(tokenizer.preTokenizationName == "smollm")
        #expect(tokenizer.beginningOfSequence == nil)
        #expect(!tokenizer.addsBeginningOfSequence)
    }

    @Test func controlTokensAreTextWhereTheCallerSaysSo() throws {
        let tokenizer = try tokenizer(builder())
        let user = Int32(tokenizer.vocabularySize - 1)
        #expect(try tokenizer.encode("<|a b|><user>") == [user - 1, user])
        let plain = try tokenizer.encode("<|a b|><user>", specialTokens: .asText)
        #expect(plain.last == user)
        #expect(!plain.contains(user - 1))
        #expect(try tokenizer.decode(plain) == "<|a b|><user>")
        #expect(try tokenizer.decode([user - 1]) == "<|a b|>")
    }

    @Test func thePatternAloneKeepsNumbersTogether() throws {
        let tokenizer = try tokenizer(builder(pre: "gpt-2"))
        #expect(tokenizer.preTokenizationName == "gpt-2")
        #expect(try tokenizer.decode(tokenizer.encode(" 12")) == " 12")
    }

    @Test func theBeginningOfTheSequenceIsRead() throws {
        var builder = try builder()
        builder.add("bos_token_id", 7 as UInt32)
        builder.add("add_bos_token", true)
        let tokenizer = try tokenizer(builder)
        #expect(tokenizer.beginningOfSequence == 7)
        #expect(tokenizer.addsBeginningOfSequence)
        #expect(try tokenizer.encode("a").count == 1)
    }

    @Test func whatIsNotKnownIsRefusedByName() throws {
        for pre in ["default", "mystery", "gpt\u{2}-2", nil] {
            let error = #expect(throws: TokenizerError.self) { try tokenizer(builder(pre: pre)) }
            let message = error?.description ?? ""
            #expect(message.contains("tokenizer.ggml.pre"))
            #expect(message.contains("known: \"gpt-2\", \"phi-2\""))
        }
        for flag in ["add_sep_token", "add_space_prefix"] {
            var builder = try builder()
            builder.add(flag, true)
            let error = #expect(throws: TokenizerError.self) { try tokenizer(builder) }
            #expect(error?.description.contains(flag) == true)
        }
        var llama = GGUFBuilder()
        llama.add("model", "llama")
        #expect(throws: TokenizerError.self) { try tokenizer(llama) }
    }

    @Test func contradictionsAreRefused() throws {
        for key in ["tokens", "token_type", "merges"] {
            let error = #expect(throws: TokenizerError.self) { try tokenizer(builder(without: key)) }
            #expect(error?.description.contains("tokenizer.ggml.\(key)") == true)
        }
        func message(_ tokens: [String], _ types: [Int32], _ merges: [String]) throws -> String {
            var builder = GGUFBuilder()
            builder.add("model", "gpt2")
            builder.add("pre", "gpt-2")
            builder.add("tokens", tokens)
            builder.add("token_type", types)
            builder.add("merges", merges)
            let error = #expect(throws: TokenizerError.self) { try tokenizer(builder) }
            return error?.description ?? ""
        }
        #expect(try message(["a", "b", "a"], [1, 1, 1], []).contains("ids 0 and 2"))
        #expect(try message(["a", "b"], [1], []).contains("token_type"))
        #expect(try message(["a", "b"], [1, 9], []).contains("element 1"))
        #expect(try message(["a", ""], [1, 3], []).contains("element 1"))
        #expect(try message(["a", "b"], [1, 1], ["a b"]).contains("merge 0, \"a\" and \"b\": \"ab\""))
        #expect(try message(["a", "ab"], [1, 1], ["a b"]).contains("\"b\" is not in the vocabulary"))
        #expect(try message(["a", "aa"], [1, 1], ["a a", "a a"]).contains("merge 1"))
        #expect(try message(["a"], [1], ["a"]).contains("element 0"))
        var late = try builder()
        late.add("bos_token_id", 1_000_000 as UInt32)
        #expect(throws: TokenizerError.self) { try tokenizer(late) }
        var unnamed = try builder()
        unnamed.add("add_bos_token", true)
        #expect(throws: TokenizerError.self) { try tokenizer(unnamed) }
    }
}
