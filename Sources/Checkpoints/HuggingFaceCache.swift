/// The folder in which the programs of Hugging Face keep what they download.
///
/// A model is in `models--ORGANIZATION--NAME`: `refs/REVISION` has the commit of a branch or a tag, and
/// `snapshots/COMMIT` the files, which are links into `blobs`.
///
/// The layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
public struct HuggingFaceCache: Sendable {
    public let path: String
    /// What says where the cache is, for messages.
    public let origin: String

    /// Looks where `huggingface_hub` looks.
    ///
    /// - Parameter environment: The value of a variable; nil where it is not set.
    public init(environment: (String) -> String?) {
        func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        let home = value("HOME") ?? ""
        let expanded = { (path: String) in path == "~" || path.hasPrefix("~/") ? home + path.dropFirst() : path }
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
            if let folder = value(name) {
                (path, origin) = (expanded(folder), name)
                return
            }
        }
        if let folder = value("HF_HOME") {
            (path, origin) = (expanded(folder) + "/hub", "HF_HOME")
        } else if let folder = value("XDG_CACHE_HOME") {
            (path, origin) = (expanded(folder) + "/huggingface/hub", "XDG_CACHE_HOME")
        } else {
            (path, origin) = ("\(home)/.cache/huggingface/hub", "HOME")
        }
    }

    /// A snapshot by what its path says.
    public struct Snapshot: Sendable, Equatable {
        /// "ORGANIZATION/NAME".
        public let repository: String
        public let commit: String
        /// Whether the path is that of the snapshot itself, not of a file in it.
        let isWhole: Bool

        /// - Parameter path: That of the snapshot, or of a file in it.
        init?(containing path: String) {
            let components = Folder.components(path)
            guard let place = components.lastIndex(of: "snapshots"), place > 0, place + 1 < components.count,
                components[place - 1].hasPrefix(HuggingFaceCache.prefix)
            else { return nil }
            let name = components[place - 1].dropFirst(HuggingFaceCache.prefix.count)
            // The organization has no two dashes together; a name of old may.
            repository = name.split(separator: "--", maxSplits: 1).joined(separator: "/")
            commit = components[place + 1]
            isWhole = place + 2 == components.count
        }
    }

    private static let prefix = "models--"
}

// MARK: - Looking up

extension HuggingFaceCache {
    /// The folder of the model's snapshot.
    ///
    /// - Returns: nil for a name without organization that is not in the cache: it is more likely a path.
    /// - Throws: `notCached`.
    func snapshot(of model: ModelName) throws(CheckpointError) -> String? {
        let folder = "\(path)/\(Self.prefix)" + model.repository.split(separator: "/").joined(separator: "--")
        guard Folder.exists(folder) else {
            guard model.repository.contains("/") else { return nil }
            throw notCached(model, "the Hugging Face cache has no \(folder.legible) (\(origin) says where)")
        }
        let revision = model.revision ?? ModelName.mainRevision
        var commit = try commit(revision, folder)
        if commit == nil { commit = try snapshotName(beginning: revision, folder, model) }
        guard let commit else {
            throw notCached(
                model,
                "\(folder.legible) has no revision \(revision.quoted)" + Self.describe(try Self.snapshots(folder)))
        }
        let snapshot = "\(folder)/snapshots/\(commit)"
        guard Folder.exists(snapshot) else {
            throw notCached(model, "\(folder.legible) has no snapshot of the commit \(commit)")
        }
        return snapshot
    }

    /// The commit of a branch or a tag; nil where there is none of this name.
    private func commit(_ revision: String, _ folder: String) throws(CheckpointError) -> String? {
        let reference = "\(folder)/refs/\(revision)"
        guard Folder.hasEntry(reference), !Folder.exists(reference) else { return nil }
        let file = try MappedFile(reference)
        let text = withExtendedLifetime(file) { unsafe String(decoding: file.bytes.prefix(128), as: UTF8.self) }
        let commit = text.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        guard Self.isCommit(commit, digitCounts: 40...64) else {
            throw .malformed(path: reference, byteOffset: 0, problem: "\(commit.quoted) is not a commit")
        }
        return commit
    }

    /// The only snapshot whose commit begins so.
    private func snapshotName(
        beginning revision: String, _ folder: String, _ model: ModelName
    ) throws(CheckpointError) -> String? {
        guard Self.isCommit(revision, digitCounts: 4...64) else { return nil }
        let found = try Self.snapshots(folder).filter { $0.hasPrefix(revision) }
        guard found.count <= 1 else {
            throw notCached(model, "\(revision.quoted) begins several commits" + Self.describe(found))
        }
        return found.first
    }

    private static func snapshots(_ folder: String) throws(CheckpointError) -> [String] {
        let path = "\(folder)/snapshots"
        guard Folder.exists(path) else { return [] }
        return try Folder.names(in: path).filter { isCommit($0, digitCounts: 40...64) }.sorted()
    }

    private static func describe(_ snapshots: [String]) -> String {
        let limit = 8
        return snapshots.isEmpty
            ? ""
            : "; it has the commits \(snapshots.prefix(limit).joined(separator: ", "))"
                + (snapshots.count > limit ? " and \(snapshots.count - limit) more" : "")
    }

    /// Whether a text is hexadecimal digits in lower case.
    private static func isCommit(_ text: String, digitCounts: ClosedRange<Int>) -> Bool {
        digitCounts.contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private func notCached(_ model: ModelName, _ lacks: String) -> CheckpointError {
        let name = model.repository + (model.revision.map { "@\($0)" } ?? "")
        return .notCached(name: name, lacks: lacks, command: model.fetchCommand)
    }
}
