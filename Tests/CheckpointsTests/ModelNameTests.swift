import Checkpoints
import Glibc
import TestSupport
import Testing

@Suite("Models are found by name where Hugging Face's programs keep them")
struct ModelNameTests {
    private let folder: TemporaryFolder
    private let cache: HuggingFaceCache
    private static let first = "0123456789abcdef0123456789abcdef01234567"
    private static let second = "0123999999abcdef0123456789abcdef01234567"

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        cache = HuggingFaceCache { $0 == "HF_HUB_CACHE" ? "\(folder.path)/hub" : nil }
    }

    /// Puts a model there as `hf download` does: files are links into `blobs`.
    private func writeModel(_ name: String, _ commit: String, reference: String? = nil, weights: Bool = true) throws {
        let model = "hub/models--\(name)"
        if let reference { try folder.write(commit, to: "\(model)/refs/\(reference)") }
        try folder.write(Fixtures.bytes("single/config.json"), to: "\(model)/blobs/config")
        if weights { try folder.write(Fixtures.bytes("single/model.safetensors"), to: "\(model)/blobs/weights") }
        for (file, blob) in [("config.json", "config"), ("model.safetensors", "weights")] {
            // The folders on the way.
            try folder.write("", to: "\(model)/snapshots/\(commit)/.keep")
            unsafe symlink("../../blobs/\(blob)", "\(folder.path)/\(model)/snapshots/\(commit)/\(file)")
        }
    }

    private func expectRefusal(_ name: String, _ parts: String..., location: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
            try Checkpoint.open(name, in: cache)
        }
        let message = error?.description ?? ""
        for part in parts { #expect(message.contains(part), "\(message)", sourceLocation: location) }
        #expect(message.utf8.count < 1_000, sourceLocation: location)
    }

    @Test("branches, commits and their beginnings are resolved")
    func revisions() throws {
        try writeModel("maker--some-model", Self.first, reference: "main")
        try writeModel("maker--some-model", Self.second, reference: "refs/pr/1")
        for (name, commit) in [
            ("maker/some-model", Self.first), ("maker/some-model@main", Self.first),
            ("maker/some-model@refs/pr/1", Self.second), ("maker/some-model@\(Self.second)", Self.second),
            ("maker/some-model@01239", Self.second),
        ] {
            let checkpoint = try Checkpoint.open(name, in: cache)
            #expect(checkpoint.givenName == name && checkpoint.name == "some-model")
            #expect(checkpoint.path == "\(folder.path)/hub/models--maker--some-model/snapshots/\(commit)")
            #expect(checkpoint.snapshot?.repository == "maker/some-model" && checkpoint.snapshot?.commit == commit)
            #expect(try checkpoint.tensor("model.embed.weight").shape == [4, 3])
        }
        expectRefusal("maker/some-model@0123", "begins several commits", Self.first, Self.second)
        expectRefusal("maker/some-model@dev", "no revision \"dev\"", "hf download maker/some-model --revision dev")
    }

    @Test("models of the first days have no organization, and paths come first")
    func paths() throws {
        try writeModel("tiny", Self.first, reference: "main")
        #expect(try Checkpoint.open("tiny", in: cache).snapshot?.repository == "tiny")
        #expect(throws: CheckpointError.missing(path: "small")) { try Checkpoint.open("small", in: cache) }
        let path = "\(folder.path)/maker/model"
        for name in ["config.json", "model.safetensors"] {
            try folder.write(Fixtures.bytes("single/\(name)"), to: "maker/model/\(name)")
        }
        let checkpoint = try Checkpoint.open(path, in: cache)
        #expect(checkpoint.path == path && checkpoint.snapshot == nil)
    }

    @Test("what is not in the cache is named with where it was looked for, and the command that fetches it")
    func absent() throws {
        expectRefusal(
            "maker/model", "maker/model: no such file", "\(folder.path)/hub/models--maker--model", "HF_HUB_CACHE",
            "`hf download maker/model`")
        expectRefusal("maker/model@v1", "`hf download maker/model --revision v1`")
        try writeModel("maker--model", Self.first)
        expectRefusal("maker/model", "no revision \"main\"", "it has the commits \(Self.first)")
        try folder.write(Self.second, to: "hub/models--maker--model/refs/main")
        expectRefusal("maker/model", "no snapshot of the commit \(Self.second)", "hf download maker/model")
    }

    @Test("snapshots that were not fetched whole are told so")
    func incomplete() throws {
        try writeModel("maker--model", Self.first, reference: "main", weights: false)
        expectRefusal("maker/model", "not complete", "model.safetensors: this is a link", "`hf download maker/model`")
        unsafe unlink("\(folder.path)/hub/models--maker--model/snapshots/\(Self.first)/model.safetensors")
        expectRefusal("maker/model@main", "not complete", "no model.safetensors", "--revision main")
    }

    @Test("of a model of GGUF files one has to be named, and nothing more is fetched")
    func filesOfGGUF() throws {
        let model = "hub/models--maker--model"
        try folder.write(Self.first, to: "\(model)/refs/main")
        try folder.write(Fixtures.bytes("mini.gguf"), to: "\(model)/snapshots/\(Self.first)/mini.gguf")
        expectRefusal(
            "maker/model", "\(folder.path)/\(model)/snapshots/\(Self.first)", "It has mini.gguf: name that file")
        let error = #expect(throws: CheckpointError.self) { try Checkpoint.open("maker/model", in: cache) }
        #expect(error?.description.contains("hf download") == false)
    }

    @Test(
        "hostile references and names do not lead out of the cache",
        arguments: [
            "../maker/model", "/maker/model", "maker//model", "maker/", "/", "..", "maker/..", "./maker/model",
            "maker/model/more", "maker/mo del", "maker/model\u{0}", "maker/--model", "maker/a..b", "maker/model.gguf",
        ])
    func hostileNames(name: String) throws {
        // A path that is not there, or a folder that is no model: never a look-up.
        let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(name, in: cache) }
        #expect(error?.description.contains("hf download") == false)
    }

    @Test(
        "revisions that lead out of their folder are refused",
        arguments: ["../../x", "/etc/passwd", "a//b", "", ".", "a/../b", "-x", "a b", "\u{1B}[2J", "a\u{0}"])
    func hostileRevisions(revision: String) throws {
        expectRefusal("maker/model@\(revision)", "cannot be the name of a revision")
    }

    @Test("references that are no commits are refused", arguments: ["../../../other", "main", "", "0123", "\u{1B}[2J"])
    func hostileReferences(content: String) throws {
        try writeModel("maker--model", Self.first)
        try folder.write(content.isEmpty ? "\n" : content, to: "hub/models--maker--model/refs/main")
        expectRefusal("maker/model", "refs/main", "is not a commit")
    }

    @Test("the cache is where the variables say, in the order of huggingface_hub")
    func places() {
        var variables = ["HOME": "/home/a"]
        func path() -> String { HuggingFaceCache { variables[$0] }.path }
        #expect(path() == "/home/a/.cache/huggingface/hub")
        variables["XDG_CACHE_HOME"] = "/cache"
        #expect(path() == "/cache/huggingface/hub")
        variables["HF_HOME"] = "~/hf"
        #expect(path() == "/home/a/hf/hub")
        variables["HUGGINGFACE_HUB_CACHE"] = "/old"
        #expect(path() == "/old")
        variables["HF_HUB_CACHE"] = "/new"
        #expect(path() == "/new")
        variables["HF_HUB_CACHE"] = ""
        #expect(path() == "/old")
    }
}
