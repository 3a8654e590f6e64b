import Glibc
import Reports
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
        #expect(place.names("results") == ["a.txt", "b.txt", "mine.txt"])
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
        #expect(place.names(".") == [])
    }
}

/// A folder that goes with the test.
private final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/straightedge-test-XXXXXX".utf8CString)
        let isMade = unsafe mkdtemp(&template) != nil
        try #require(isMade)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func write(_ text: String, to name: String) throws {
        let file = unsafe try #require(unsafe fopen("\(path)/\(name)", "w"))
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    func text(_ name: String) throws -> String {
        let file = unsafe try #require(unsafe fopen("\(path)/\(name)", "r"))
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    func names(_ folder: String) -> [String] { entries(folder) }

    private func entries(_ folder: String) -> [String] {
        guard let directory = unsafe opendir("\(path)/\(folder)") else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    deinit {
        for folder in ["results", "."] {
            for name in entries(folder) { unsafe unlink("\(path)/\(folder)/\(name)") }
            unsafe rmdir("\(path)/\(folder)")
        }
        unsafe rmdir(path)
    }
}
