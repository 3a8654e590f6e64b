import Checkpoints
import Linearity
import Testing

@testable import Reports

@Suite("Profiles of several runs stand beside each other")
struct ComparisonTests {
    @Test("names are as short as they can be, and all different")
    func names() {
        #expect(DistinctNames.choose([["a", "x-a"], ["b", "x-b"]]) == ["a", "b"])
        #expect(DistinctNames.choose([["a", "x-a"], ["a", "y-a"], ["b", "y-b"]]) == ["x-a", "y-a", "b"])
        #expect(DistinctNames.choose([["a"], ["a"], ["a (2)"], ["a"]]) == ["a", "a (3)", "a (2)", "a (4)"])
        #expect(DistinctNames.choose([["a", "b"], ["b"]], taken: ["a"]) == ["b", "b (2)"])
        #expect(DistinctNames.choose([["a", "b"]], taken: ["a", "b"]) == ["b (2)"])
    }

    @Test("runs of one model are told apart by their folders")
    func labels() throws {
        let comparison = try compare([SmallProfile.make(), SmallProfile.make(), SmallProfile.make(name: "other.gguf")])
        #expect(comparison.runs.map(\.label) == ["model, run-0", "model, run-1", "other"])
        #expect(Set(comparison.runs.map(\.label)).count == 3)
        var (one, other) = (SmallProfile.make(), SmallProfile.make())
        (one.model.repository, one.model.name) = ("org/llama", "org/llama@step1")
        (other.model.repository, other.model.name) = ("org/llama", "org/llama@step2")
        #expect(try compare([one, other]).runs.map(\.label) == ["llama@step1", "llama@step2"])
        let same = try Comparison([("p", SmallProfile.make()), ("p", SmallProfile.make())])
        #expect(same.runs.map(\.label) == ["model, p", "model, p (2)"])
    }

    @Test("what was measured otherwise is marked, and says what differs")
    func differences() throws {
        var other = SmallProfile.make(viewCount: 1)
        other.corpus.fingerprint = "c1"
        other.corpus.tokenCount = 12
        other.run.computeType = "bf16"
        other.result.views[0].steps.removeAll { $0.layer == 0 }
        other.result.folds = try #require(FoldLayout(boundaries: [0, 3, 6, 12]))
        let comparison = try compare([SmallProfile.make(), other, SmallProfile.make()])
        #expect(comparison.runs[0].differences.isEmpty && comparison.runs[2].differences.isEmpty)
        #expect(
            comparison.runs[1].differences == [
                "other token ids of a text of the same name", "tokens (12 instead of 10)", "folds (3 instead of 2)",
                "compute type (bf16 instead of f32)", "first tokens left out (0 instead of 1)",
                "layers (1 to 2 of 3 instead of all)",
            ])
        #expect(comparison.page().contains("≠ other token ids") && comparison.table().contains("≠ model, run-1: "))
        other.corpus.source = "novel.txt"
        #expect(try compare([SmallProfile.make(), other]).runs[1].differences[0] == "another corpus")
    }

    @Test("means, ends, slopes and ranks are those of the layers")
    func figures() throws {
        var second = SmallProfile.make()
        for index in 0..<3 {
            var figures = second.result.views[0].steps[index].figures
            figures.linearity = .value([0.5, 0.7, 0.3][index])
            second.result.views[0].steps[index] = StepResult(
                layer: index, site: .layer, figures: figures, tokenErrors: nil)
        }
        let comparison = try compare([SmallProfile.make(), second])
        let (view, score) = (View.allTokens, ComparedScore.all[0])
        // 0.9, 0.91, 0.92: the final norm's row is no layer.
        let summary = try #require(comparison.runs[0].summary(view, score, .fit))
        let slope = try #require(summary.slope)
        #expect(abs(summary.mean - 0.91) < 1e-15 && abs(slope - 0.02) < 1e-14)
        #expect(comparison.runs[1].summary(view, score, .fit)?.smallest == .init(layer: 2, value: 0.3))
        #expect(comparison.agreement(comparison.runs[0], view, score, .fit) == 1)
        #expect(comparison.agreement(comparison.runs[1], view, score, .fit) == -0.5)
    }

    @Test("without held-out scores there is one chart, with them there are two")
    func heldOut() throws {
        let plain = try compare([SmallProfile.make(hasHeldOut: false)])
        #expect(plain.depthFigures(.allTokens, ComparedScore.all[0]).map(\.name) == ["linearity-all_tokens"])
        let both = try compare([SmallProfile.make(hasHeldOut: false), SmallProfile.make()])
        let figures = both.depthFigures(.allTokens, ComparedScore.all[0])
        #expect(figures.map(\.name) == ["linearity-all_tokens", "linearity_heldout-all_tokens"])
        // Layer 1 scores -7 held out.
        #expect(figures[1].svg(false).contains("<polygon") && figures[1].caption.contains("Triangles"))
        #expect(!figures[0].caption.contains("Triangles"))
    }

    @Test("lines are over normalized depth, whatever the number of layers")
    func depth() throws {
        var deep = SmallProfile.make()
        deep.model.layerCount = 5
        let svg = try compare([SmallProfile.make(), deep]).depthFigures(.allTokens, ComparedScore.all[0])[0].svg(false)
        // From 58 to 508: layer 1 of 3 in the middle, layers 1 and 2 of 5 at a quarter and in the middle.
        #expect(svg.split(separator: "cx=\"283\"").count == 3 && svg.split(separator: "cx=\"170.5\"").count == 2)
    }

    @Test("forty runs have forty lines of their own, and dots only where they are picked out")
    func many() throws {
        let runs = (0..<40).map { SmallProfile.make(name: "m\($0).gguf") }
        let comparison = try compare(runs)
        let svg = comparison.depthFigures(.allTokens, ComparedScore.all[0])[0].svg(false)
        #expect(svg.contains("chart quiet"))
        let styles = svg.split(separator: "<path class=\"").dropFirst().map { $0.prefix { $0 != "\"" } }
            .filter { $0.hasPrefix("line") }
        #expect(styles.count == 40 && Set(styles).count == 40)
        #expect(comparison.page().count < 4_000_000)
    }

    @Test("names with a script in them stay text, on the page and in the CSV")
    func hostile() throws {
        let attack = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\",\"\n"
        var profile = SmallProfile.make(name: attack, token: attack)
        profile.corpus.source = attack
        profile.model.family = attack
        let comparison = try Comparison([(attack, profile), (attack, profile)])
        let page = comparison.page()
        #expect(!page.contains("<script>alert") && !page.contains("<img") && page.contains("&lt;script&gt;alert(1)"))
        #expect(page.split(separator: "<script").count == 2 && page.hasSuffix("</html>\n"))
        // Quotes are doubled, and the field that holds them is quoted.
        #expect(comparison.csv().contains("\"\",\"\"\n"))
        #expect(!comparison.table().contains("\u{1B}"))
        let steering = try compare([SmallProfile.make(name: "\u{1B}[2J")])
        #expect(!steering.table().contains("\u{1B}"))
    }

    @Test("the CSV has a row for each step, and its figures are those of layers.csv")
    func csv() throws {
        let lines = try compare([SmallProfile.make()]).csv().split(separator: "\n")
        let own = SmallProfile.make().csv().split(separator: "\n")
        #expect(lines.count == own.count)
        for (line, row) in zip(lines, own).dropFirst() {
            let tail = row.split(separator: ",", omittingEmptySubsequences: false).dropFirst().joined(separator: ",")
            #expect(line.hasPrefix("model,/models/model.gguf,text.txt,c0,10,f32,2,") && line.hasSuffix(",\(tail)"))
        }
        #expect(lines[2].contains(",all_tokens,0.5,1,layer,"))
    }

    @Test("a profile without a whole layer's row is refused by name")
    func noLayers() throws {
        var profile = SmallProfile.make()
        for index in profile.result.views.indices { profile.result.views[index].steps = [] }
        let error = #expect(throws: ProfileError.self) { try Comparison([("some/run", profile)]) }
        #expect("\(try #require(error))".contains("some/run"))
    }

    @Test("damaged, foreign and later profiles are told from each other")
    func schemas() throws {
        let text = SmallProfile.make().json().serialized(indented: false)
        for (schema, words) in [
            ("straightedge.profile/2", "later straightedge"), ("straightedge.profile/0", "\"straightedge.profile/0\""),
            ("straightedge.procrustes/2", "\"straightedge.procrustes/2\""),
        ] {
            let json = try JSON.parse(text.replacing("straightedge.profile/1", with: schema), source: "p")
            let error = #expect(throws: ProfileError.self) { try Profile(json, path: "p.json") }
            let message = "\(try #require(error))"
            #expect(message.contains("p.json: schema") && message.contains(words))
        }
    }

    private func compare(_ profiles: [Profile]) throws -> Comparison {
        try Comparison(profiles.enumerated().map { ("results/run-\($0)", $1) })
    }
}
