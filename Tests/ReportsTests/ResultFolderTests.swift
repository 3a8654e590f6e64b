import Glibc
import Reports
import TestSupport
import Testing

@Suite("Results are there whole or not at all")
struct ResultFolderTests {
    @Test("a folder that exists is refused, or its results are replaced and nothing else is touched")
    func existing() throws {
        let place = try TemporaryFolder()
        let path = "\(place.path)/results"
        try ResultFolder(path, replaces: false).write([("a.txt", "one")])
        #expect(try place.text("results/a.txt") == "one")
        #expect(throws: ResultFolderError.self) { try ResultFolder(path, replaces: false) }
        try place.write("mine", to: "results/mine.txt")
        try ResultFolder(path, replaces: true).write([("a.txt", "two"), ("b.txt", "three")])
        #expect(try place.text("results/a.txt") == "two")
        #expect(try place.text("results/b.txt") == "three")
        #expect(try place.text("results/mine.txt") == "mine")
        #expect(place.names(in: "results") == ["a.txt", "b.txt", "mine.txt"])
    }

    @Test("a parent that does not exist, or a file in the way, is refused before any work")
    func refused() throws {
        let place = try TemporaryFolder()
        #expect(throws: ResultFolderError.self) { try ResultFolder("\(place.path)/none/results", replaces: false) }
        try place.write("a file", to: "taken")
        #expect(throws: ResultFolderError.self) { try ResultFolder("\(place.path)/taken", replaces: true) }
    }

    @Test("nothing is left behind where writing fails")
    func failure() throws {
        let place = try TemporaryFolder()
        let folder = try ResultFolder("\(place.path)/results", replaces: false)
        #expect(throws: ResultFolderError.self) { try folder.write([("a.txt", "one"), ("no/such.txt", "two")]) }
        #expect(place.names() == [])
    }
}
