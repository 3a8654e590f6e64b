import Checkpoints
import Testing

@testable import Reports

@Suite("A profile is read back, and becomes a page")
struct PageTests {
    @Test("a profile that was written is read back as it was", arguments: [true, false])
    func roundTrip(hasHeldOut: Bool) throws {
        let profile = SmallProfile.make(hasHeldOut: hasHeldOut)
        let text = profile.json().serialized(indented: true)
        let read = try Profile(JSON.parse(text, source: "profile.json"), path: "profile.json")
        #expect(read.json().serialized(indented: true) == text)
        #expect(read.page() == profile.page())
    }

    @Test("a damaged profile is refused with the place")
    func damaged() throws {
        let text = SmallProfile.make().json().serialized(indented: false)
        for (old, new, place) in [
            ("\"straightedge.profile/1\"", "\"other\"", "schema"),
            ("\"layer\":1,", "\"layer\":-1,", "views[0].layers[1]"),
            ("\"fold_boundaries\":[0", "\"fold_boundaries\":[9", "run.fold_boundaries"),
            ("\"site\":\"layer\",\"n\"", "\"site\":\"nowhere\",\"n\"", "site"),
            // Found by mutation: views of different steps, a rank that is no number of columns, names that steer a terminal.
            ("\"layer\":1,", "\"layer\":2,", "views[1]"), ("\"rank\":7", "\"rank\":1e300", "rank"),
            ("\"site\":\"layer\",\"n\"", "\"site\":\"\\u001b[2J\",\"n\"", "\\u{1B}"),
            ("\"views\":[", "\"views\":[7,", "views[0]"),
        ] {
            let json = try JSON.parse(text.replacing(old, with: new, maxReplacements: 1), source: "p")
            let error = #expect(throws: ProfileError.self) { try Profile(json, path: "p.json") }
            #expect("\(try #require(error))".contains(place))
        }
    }

    @Test("a name or a token with a script in it stays text")
    func scripts() {
        let attack = "</title><script>alert(1)</script><img src=x onerror=alert(2)>"
        let profile = SmallProfile.make(name: attack, token: attack)
        for text in [profile.page()] + profile.figureFiles().map(\.text) {
            #expect(!text.contains("<script>alert") && !text.contains("<img"))
        }
        #expect(profile.page().contains("&lt;script&gt;alert(1)"))
        #expect(profile.page().split(separator: "<script").count == 2)
    }

    @Test("the page loads nothing, and runs no script but its own")
    func selfContained() {
        let page = SmallProfile.make().page()
        #expect(page.contains("default-src 'none'"))
        for reference in [" src=", "url(", "@import", "<link", "http://", "https://"] {
            #expect(!page.contains(reference))
        }
        // Computed with openssl over the bytes between the script's tags.
        #expect(page.contains("sha256-\(PageStyle.scriptDigest)'") && PageStyle.scriptDigest.hasSuffix("="))
    }

    @Test("one view, or no token errors, or nothing held out, still makes a page")
    func partial() {
        let oneView = SmallProfile.make(viewCount: 1)
        #expect(oneView.page().contains("all tokens") && !oneView.page().contains("without the first token of each"))
        let plain = SmallProfile.make(hasTokenErrors: false)
        #expect(plain.page().contains("--no-token-errors") && !plain.page().contains("class=\"excerpt\""))
        #expect(SmallProfile.make(hasHeldOut: false).page().contains("with the map of all tokens"))
    }

    @Test("every figure of the page is a file")
    func figures() {
        let names = SmallProfile.make().figureFiles().map(\.name)
        #expect(names.contains("linearity-all_tokens.svg") && names.contains("token-errors-without_first_token.svg"))
        #expect(names.contains("excerpt-all_tokens-0.svg") && Set(names).count == names.count)
        #expect(
            SmallProfile.make().figureFiles().allSatisfy { $0.text.contains("xmlns=") && $0.text.contains("<style>") })
    }

    @Test("the excerpts show the token that stands out, with its neighbours")
    func excerpts() throws {
        let profile = SmallProfile.make()
        let excerpt = try #require(profile.excerpts[0].first)
        #expect(excerpt.sequence == 1 && excerpt.worstPosition == 2 && excerpt.ids == Array(4..<10))
        #expect(excerpt.errors.allSatisfy { $0[2] == 200 })
        // In the second view the first token of the sequence has no error.
        #expect(profile.excerpts[1][0].errors[0][0].isNaN)
    }
}
