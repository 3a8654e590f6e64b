import Testing

@testable import straightedge

struct GlibcVersionTests {
    @Test(
        "a version too old for the bundle is named, with what is needed",
        arguments: [
            ("2.34", "2.34: too old for the bundle, which needs 2.35 or later"),
            ("2.9", "2.9: too old for the bundle, which needs 2.35 or later"),
            ("2.35", "2.35"), ("2.41.9000", "2.41"), ("3.0", "3.0"),
            ("unknown", "of unknown version; 2.35 or later is needed by the bundle"),
        ])
    func old(found: String, expected: String) {
        #expect(GlibcVersion.description(of: GlibcVersion(found)) == expected)
    }

    @Test("doctor shows the version of the running library")
    func doctor() throws {
        let running = try #require(GlibcVersion.running)
        let outcome = try Command.run(["doctor"])
        let line = "glibc" + String(repeating: " ", count: 9) + GlibcVersion.description(of: running)
        #expect(outcome.exitCode == 0)
        #expect(outcome.output.split(separator: "\n").contains { $0 == line })
    }
}
