import Checkpoints

/// A tokenizer.json before it is written, of the tiny model's vocabulary; its variants are drawn.
enum TokenizerDocument {
    static func base(_ random: inout RandomSource) -> JSONTree {
        var tree = JSONTree(["version": "1.0", "truncation": nil, "padding": nil])
        tree["normalizer"] = JSONTree(random.once(in: 2) ? .null : normalizer(&random))
        tree["added_tokens"] = JSONTree([
            added(TinyModel.controlID, special: true, &random), added(TinyModel.userID, special: false, &random),
        ])
        tree["pre_tokenizer"] = JSONTree(preTokenizer(&random))
        tree["decoder"] = JSONTree(random.once(in: 2) ? ["type": "ByteLevel"] : decoder)
        if random.once(in: 2) { tree["post_processor"] = JSONTree(postProcessor) }
        tree["model"] = model(&random)
        return tree
    }

    private static func added(_ id: Int, special: Bool, _ random: inout RandomSource) -> JSON {
        [
            "id": .integer(id), "content": .string(TinyModel.tokens[id]), "special": .bool(special),
            "single_word": .bool(random.once(in: 4)), "lstrip": .bool(random.once(in: 4)),
            "rstrip": .bool(random.once(in: 4)), "normalized": .bool(random.once(in: 2)),
        ]
    }

    private static func preTokenizer(_ random: inout RandomSource) -> JSON {
        let byteLevel: JSON = [
            "type": "ByteLevel", "add_prefix_space": .bool(random.once(in: 2)), "trim_offsets": true,
            "use_regex": .bool(random.once(in: 2)),
        ]
        guard random.once(in: 2) else { return byteLevel }
        if random.once(in: 2) {
            let steps: [JSON] = [
                split(&random), ["type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": true],
                ["type": "Punctuation", "behavior": "Contiguous"], ["type": "Whitespace"], ["type": "WhitespaceSplit"],
            ]
            return [
                "type": "Sequence",
                "pretokenizers": [steps[random.index(steps.count)], steps[random.index(steps.count)], byteLevel],
            ]
        }
        let digits: JSON = ["type": "Digits", "individual_digits": .bool(random.once(in: 2))]
        return ["type": "Sequence", "pretokenizers": [digits, byteLevel]]
    }

    private static func split(_ random: inout RandomSource) -> JSON {
        let patterns = [
            #"(?i:'s|'ll)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
            #"\w+|[^\w\s]++|(?<=a)\b|[a-c&&[^b]]{2,3}?"#, "[[:alpha:]]*|(?>a|ab)$",
        ]
        let behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
        return [
            "type": "Split", "pattern": ["Regex": .string(patterns[random.index(patterns.count)])],
            "behavior": .string(behaviors[random.index(behaviors.count)]), "invert": .bool(random.once(in: 4)),
        ]
    }

    private static func normalizer(_ random: inout RandomSource) -> JSON {
        let steps: [JSON] = [
            ["type": "NFC"], ["type": "NFKD"], ["type": "Lowercase"], ["type": "StripAccents"], ["type": "ByteLevel"],
            ["type": "Strip", "strip_left": true, "strip_right": .bool(random.once(in: 2))],
            ["type": "Prepend", "prepend": "_"], ["type": "Replace", "pattern": ["Regex": #"\s{2,}"#], "content": " "],
            ["type": "Replace", "pattern": ["String": " "], "content": "_"],
        ]
        return [
            "type": "Sequence", "normalizers": [steps[random.index(steps.count)], steps[random.index(steps.count)]],
        ]
    }

    private static let decoder: JSON = [
        "type": "Sequence",
        "decoders": [
            ["type": "Replace", "pattern": ["String": "_"], "content": " "], ["type": "ByteFallback"], ["type": "Fuse"],
            ["type": "Metaspace", "replacement": "_", "prepend_scheme": "always"],
            ["type": "Strip", "content": " ", "start": 1, "stop": 0],
        ],
    ]

    private static let postProcessor: JSON = [
        "type": "TemplateProcessing",
        "single": [["SpecialToken": ["id": "<|end|>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]]],
        "special_tokens": [
            "<|end|>": ["id": "<|end|>", "ids": [.integer(TinyModel.controlID)], "tokens": ["<|end|>"]]
        ],
    ]

    private static func model(_ random: inout RandomSource) -> JSONTree {
        let vocabulary = TinyModel.tokens.prefix(TinyModel.controlID).enumerated()
        let pairs = random.once(in: 2)
        let merges = TinyModel.merges.map { pairs ? [.string($0), .string($1)] : JSON.string("\($0) \($1)") }
        return JSONTree([
            "type": "BPE", "dropout": nil, "unk_token": random.once(in: 2) ? "a" : nil,
            "fuse_unk": .bool(random.once(in: 2)), "byte_fallback": false, "ignore_merges": .bool(random.once(in: 2)),
            "vocab": .object(JSONObject(vocabulary.map { ($1, JSON.integer($0)) })), "merges": .array(merges),
        ])
    }
}

// MARK: - Mutation

extension TokenizerDocument {
    /// One change that knows the format, or one of any JSON.
    static func mutate(_ tree: inout JSONTree, _ random: inout RandomSource) {
        switch random.index(8) {
        case 0, 1, 2: tree.mutate(&random)
        case 3: changeVocabulary(&tree, &random)
        case 4: changeAddedTokens(&tree, &random)
        case 5: changeMerges(&tree, &random)
        case 6: nestProcessors(&tree, &random)
        default: swell(&tree, &random)
        }
    }

    private static func change(_ tree: inout JSONTree, _ key: String, _ inner: String, _ value: JSONTree) {
        guard var member = tree[key] else { return }
        member[inner] = value
        tree[key] = member
    }

    private static func id(_ random: inout RandomSource) -> JSONTree {
        random.once(in: 2) ? JSONTree("\(random.index(12))") : .leaf(JSONTree.hostileNumber(&random))
    }

    private static func changeVocabulary(_ tree: inout JSONTree, _ random: inout RandomSource) {
        guard var vocabulary = tree["model"]?["vocab"] else { return }
        let key = random.pick(TinyModel.tokens + ["é", "e\u{301}", "\u{100}", "aa", "abc", ""])
        vocabulary[key] = random.once(in: 6) ? nil : id(&random)
        change(&tree, "model", "vocab", vocabulary)
    }

    private static func changeAddedTokens(_ tree: inout JSONTree, _ random: inout RandomSource) {
        guard case .array(var tokens)? = tree["added_tokens"] else { return }
        var token = tokens.isEmpty ? JSONTree([:]) : random.pick(tokens)
        switch random.index(3) {
        case 0: token["id"] = id(&random)
        case 1: token["content"] = .leaf(JSONTree.hostileString(&random))
        default:
            // Where ids are counted on, right up to the last one.
            let last = random.pick([2_147_483_645, 2_147_483_646, 2_147_483_647])
            var vocabulary = tree["model"]?["vocab"] ?? JSONTree([:])
            vocabulary["a"] = JSONTree("\(last)")
            change(&tree, "model", "vocab", vocabulary)
            token["content"] = JSONTree("\"a\"")
            token["id"] = JSONTree("\(last)")
            tokens.append(token)
            token["content"] = JSONTree("\"new\"")
            token["id"] = JSONTree("\(last + 1)")
        }
        tokens.insert(token, at: random.index(tokens.count + 1))
        tree["added_tokens"] = .array(tokens)
    }

    private static func changeMerges(_ tree: inout JSONTree, _ random: inout RandomSource) {
        guard case .array(var merges)? = tree["model"]?["merges"] else { return }
        let texts = ["a b", "b a", "ab a", "Ġ a", "Ġa b", "a", "a b c", " ", "a ", "", "a  b"]
        merges.insert(.leaf(JSONTree.string(random.pick(texts))), at: random.index(merges.count + 1))
        change(&tree, "model", "merges", .array(merges))
    }

    /// Steps in steps in steps, with many at the bottom.
    private static func nestProcessors(_ tree: inout JSONTree, _ random: inout RandomSource) {
        let depth = 1 << random.index(9)
        let step = random.pick(["{\"type\":\"ByteLevel\"}", "0"])
        let bottom = repeatElement(step, count: 1 << random.index(13)).joined(separator: ",")
        let open = repeatElement("{\"type\":\"Sequence\",\"processors\":[", count: depth).joined()
        let close = repeatElement("]}", count: depth).joined()
        tree["post_processor"] = JSONTree(open + bottom + close)
    }

    private static func swell(_ tree: inout JSONTree, _ random: inout RandomSource) {
        let count = 1 << (4 + random.index(11))
        var vocabulary: [(key: [UInt8], value: JSONTree)] = []
        if case .object(let members)? = tree["model"]?["vocab"] { vocabulary = members }
        switch random.index(4) {
        case 0:
            let start = 6 + (random.once(in: 2) ? 0 : random.index(count))
            vocabulary += (0..<count).map { (JSONTree.string("t\($0)"), JSONTree("\(start + $0)")) }
            change(&tree, "model", "vocab", .object(vocabulary))
        case 1:
            let flags = random.pick(["", ",\"lstrip\":true", ",\"rstrip\":true", ",\"single_word\":true"])
            let tokens = (0..<count).map { JSONTree("{\"id\":\($0 + 6),\"content\":\"t\($0)\"\(flags)}") }
            tree["added_tokens"] = .array(tokens)
        case 2:
            let flags = random.pick([",\"lstrip\":true", ",\"rstrip\":true", ",\"lstrip\":true,\"rstrip\":true", ""])
            let content = String(repeating: random.pick([" ", "a", "\\u00a0"]), count: random.once(in: 2) ? 1 : count)
            tree["added_tokens"] = JSONTree("[{\"id\":6,\"content\":\"\(content)\"\(flags)}]")
        default:
            change(&tree, "model", "merges", .array(Array(repeating: JSONTree("\"a b\""), count: count)))
        }
    }
}
