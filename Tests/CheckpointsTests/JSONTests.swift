import Checkpoints
import Testing

@Suite struct JSONTests {
    private func parse(_ text: String) throws(JSONError) -> JSON { try JSON.parse(text, source: "test.json") }

    private static let valid: [(text: String, value: JSON)] = [
        ("null", JSON.null), (" true ", true), ("false\n", false), ("0", 0), ("-0", 0), ("-12", -12),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1e30", 1e30), ("0.5", 0.5), ("1E-2", 0.01),
        ("1e+2", 100.0), ("1e-400", 0.0), ("\"\"", ""), ("[]", []), ("{}", [:]),
        ("[1,[2,{}],\"x\"]", [1, [2, [:]], "x"]),
        ("{\"a\":1,\"b\":{\"a\":null}}", ["a": 1, "b": ["a": nil]]), ("\t\r\n [ ]", []),
        ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"), ("\"\\u00e9\\uD834\\uDD1E\\u0000\"", "é𝄞\u{0}"),
        ("\"é𝄞\u{7F}\"", "é𝄞\u{7F}"),
    ]

    @Test(arguments: valid)
    func validTextIsRead(text: String, value: JSON) throws {
        #expect(try parse(text) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "True", "nulll", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x10", "NaN", "Infinity", "1e400",
        "-1e400", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
        "{a:1}", "{1:2}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "\"", "\"abc", "'a'", "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12G4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\ud800x\"", "\"a\nb\"", "\"a\tb\"",
        "1 2",
        "[] x", "/* c */ 1", "\u{FEFF}1", "\u{A0}1", "\"\\", "\"\\u",
    ])
    func invalidTextIsRefused(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC3, 0x22],
            [0x22, 0xC3, 0x5C, 0x6E, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0xFF], [0x5B, 0x00, 0x5D],
        ] as [[UInt8]])
    func bytesThatAreNotUTF8AreRefused(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSON.parse(bytes, source: "test.json") }
    }

    @Test func errorsNameThePlaceAndTheExpectation() {
        let unexpected = #expect(throws: JSONError.self) { try parse("{\"a\": [}") }
        #expect(unexpected?.byteOffset == 7)
        #expect(unexpected?.problem == "found '}', expected a value")
        let error = #expect(throws: JSONError.self) { try parse("{\"é\": 1, \"é\": 2}") }
        #expect(error?.description == "test.json: not valid JSON at byte 10: the key \"é\" is repeated in its object.")
    }

    @Test func keysThatDifferOnlyInNormalizationStayApart() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        let object = try #require(try parse("{\"\(composed)\": 1, \"\(decomposed)\": 2}").object)
        #expect(object.count == 2)
        #expect(object[composed] == 1)
        #expect(object[decomposed] == 2)
        #expect(JSON.string(composed) != JSON.string(decomposed))
    }

    @Test func largeObjectsKeepOrderAndFindEveryKey() throws {
        let text = "{" + (0..<1_000).map { "\"key\($0)\":\($0)" }.joined(separator: ",") + "}"
        let object = try #require(try parse(text).object)
        #expect(object.keys == (0..<1_000).map { "key\($0)" })
        #expect((0..<1_000).allSatisfy { object["key\($0)"] == .integer($0) })
        #expect(object["key1000"] == nil)
        #expect(throws: JSONError.self) { try parse(text.dropLast() + ",\"key500\":0}") }
    }

    @Test func membersAreSetReplacedAndRemoved() {
        var object = JSONObject()
        for index in 0..<20 { object["k\(index)"] = .integer(index) }
        object["k3"] = "three"
        object["k5"] = nil
        object["absent"] = nil
        #expect(object.count == 19)
        #expect(object["k3"] == "three")
        #expect(object["k5"] == nil)
        #expect(object["k19"] == 19)
        #expect(object.keys.prefix(5) == ["k0", "k1", "k2", "k3", "k4"])
    }

    @Test func depthIsLimited() throws {
        let limit = JSON.depthLimit
        let deepest = String(repeating: "[", count: limit) + String(repeating: "]", count: limit)
        #expect(try parse(deepest).serialized(indented: false) == deepest)
        #expect(throws: JSONError.self) { try parse("[" + deepest + "]") }
        #expect(throws: JSONError.self) { try parse(String(repeating: "[{\"a\":", count: 1_000_000)) }
    }

    @Test func valuesAreLookedInto() throws {
        let value = try parse("{\"i\": 1, \"n\": 0.5, \"s\": \"x\", \"b\": true, \"a\": [1], \"z\": null}")
        #expect(value["i"]?.integer == 1)
        #expect(value["i"]?.number == 1)
        #expect(value["n"]?.number == 0.5)
        #expect(value["n"]?.integer == nil)
        #expect(value["s"]?.string == "x")
        #expect(value["b"]?.bool == true)
        #expect(value["a"]?.array == [1])
        #expect(value["z"]?.isNull == true)
        #expect(value["absent"] == nil)
    }

    @Test func writtenTextReadsBackEqual() throws {
        let value: JSON = [
            "numbers": [0.1, 1e-7, 1e300, -2.5, .number(.leastNonzeroMagnitude), .number(1.0), 7],
            "text": "\"\\\n\u{1}é𝄞", "none": nil,
            "rows": [["a": [], "b": [:]], [1, 2]], "flag": true,
        ]
        #expect(try parse(value.serialized(indented: false)) == value)
        #expect(try parse(value.serialized(indented: true)) == value)
        let small: JSON = ["b": [1, 2], "a": ["c": [[:]]]]
        #expect(small.serialized(indented: false) == "{\"b\":[1,2],\"a\":{\"c\":[{}]}}")
        #expect(
            small.serialized(indented: true)
                == "{\n  \"b\": [1, 2],\n  \"a\": {\n    \"c\": [\n      {}\n    ]\n  }\n}\n")
    }

    @Test func numbersThatAreNotFiniteAreWrittenAsNull() {
        let value: JSON = [.number(.nan), .number(.infinity), .number(-.infinity)]
        #expect(value.serialized(indented: false) == "[null,null,null]")
    }

    @Test func mutatedTextIsReadOrRefused() throws {
        let original = try Fixtures.bytes("expected.json")
        var random = SplitMix(state: 1)
        for _ in 0..<500 {
            let value: JSON
            do throws(JSONError) {
                value = try JSON.parse(original.mutated(by: &random), source: "mutated")
            } catch { continue }
            #expect(try parse(value.serialized(indented: false)) == value)
        }
    }
}
