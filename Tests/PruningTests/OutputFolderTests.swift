import Checkpoints
import Glibc
import TestSupport
import Testing

@Suite("A model's folder is there whole or not at all")
struct OutputFolderTests {
    @Test("a place that is taken, a link to nothing among them, or whose folder is absent or closed is refused")
    func refused() throws {
        let place = try TemporaryFolder()
        try place.write("mine", to: "taken")
        #expect(throws: OutputError.self) { try OutputFolder("\(place.path)/taken") }
        #expect(throws: OutputError.self) { try OutputFolder(place.path) }
        unsafe symlink("/nonexistent", "\(place.path)/link")
        #expect(throws: OutputError.self) { try OutputFolder("\(place.path)/link") }
        #expect(throws: OutputError.self) { try OutputFolder("\(place.path)/none/model") }
        #expect(throws: OutputError.self) { try OutputFolder("/proc/self/model") }
        #expect(place.names() == ["link", "taken"])
        #expect(try place.text("taken") == "mine")
    }

    @Test("nothing is left of a folder that is not finished")
    func abandoned() throws {
        let place = try TemporaryFolder()
        do {
            let folder = try OutputFolder("\(place.path)/model/")
            try folder.makeFile("a").write("text")
            #expect(throws: OutputError.self) { try folder.makeFile("a") }
            #expect(place.names().count == 1)
        }
        #expect(place.names() == [])
    }

    @Test("an interruption removes what is not finished, and nothing else")
    func interrupted() async {
        await #expect(processExitsWith: .success) {
            let place = try TemporaryFolder()
            let finished = try OutputFolder("\(place.path)/finished")
            try finished.write("text", to: "a")
            try finished.finish()
            let folder = try OutputFolder("\(place.path)/model")
            try folder.write("text", to: "b")
            _ = try folder.makeFile("c")
            guard place.names().count == 2 else { exit(1) }
            try folder.makeFolder("d")
            _ = try folder.makeFile("d/e")
            let file = try WholeFile(path: "\(place.path)/whole", replaces: false)
            UnfinishedOutput.removeAll()
            guard place.names() == ["finished"], place.names(in: "finished") == ["a"] else { exit(2) }
            withExtendedLifetime(file) {}
        }
    }

    @Test("a folder that another program made meanwhile is not replaced")
    func raced() throws {
        let place = try TemporaryFolder()
        do {
            let folder = try OutputFolder("\(place.path)/model")
            try place.write("theirs", to: "model/file")
            #expect(throws: OutputError.self) { try folder.finish() }
        }
        #expect(place.names() == ["model"])
    }

    @Test("a disk that becomes full is named with its file, and nothing is left")
    func fullDisk() async {
        // Files of this process may have 4096 bytes, and it is told so by an error, not by a signal.
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
            guard unsafe setrlimit(__rlimit_resource_t(1), &limit) == 0 else { exit(1) }
            let place = try TemporaryFolder()
            let message = OutputFolderTests.messageOfFailure(in: place)
            guard message.contains("\(place.path)/model/large could not be written: "),
                message.contains("free some space"),
                place.names() == []
            else {
                print(message, place.names())
                exit(2)
            }
        }
    }

    private static func messageOfFailure(in place: TemporaryFolder) -> String {
        do throws(OutputError) {
            let folder = try OutputFolder("\(place.path)/model")
            try folder.makeFile("small").write("text")
            try folder.makeFile("large").write([UInt8](repeating: 1, count: 8192))
            return "nothing failed"
        } catch {
            return error.description
        }
    }
}
