public import Checkpoints

/// The folder of one analysis' results, and what is there already.
public struct AnalysisFolder: Sendable {
    public enum Content: Sendable {
        /// Nothing that counts: the analysis begins.
        case nothing
        /// Finished layers of an analysis that was interrupted.
        case unfinished
        /// The results of an analysis.
        case finished
    }

    public let content: Content
    /// Whether the analysis may go on with what is there.
    let resumes: Bool
    private let folder: ResultFolder

    public var path: String { folder.path }

    /// Looks at `path`, before hours are spent.
    ///
    /// - Parameters:
    ///   - resumes: Whether to go on with what is there.
    ///   - replaces: Whether to begin anew where something is there.
    /// - Throws: `ResultFolderError` where something is there and neither is asked for, or nothing can be written.
    public init(_ path: String, resumes: Bool, replaces: Bool) throws(ResultFolderError) {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        let isUnfinished = UnfinishedAnalysis.exists(for: path)
        if isUnfinished, !resumes, !replaces {
            throw ResultFolderError(
                description: "\(UnfinishedAnalysis.path(for: path)) holds an analysis that was interrupted: go on with "
                    + "--resume, or begin anew with --force")
        }
        if !resumes {
            content = .nothing
        } else if isUnfinished {
            content = .unfinished
        } else {
            content = ResultFolder.exists("\(path)/profile.json") ? .finished : .nothing
        }
        self.resumes = resumes
        folder = try ResultFolder(path, replaces: replaces || content != .nothing)
    }

    /// Finished layers that are kept beside the folder.
    public var keptLayerCount: Int { UnfinishedAnalysis.keptLayerCount(for: path) }

    /// Holds the results that are there to be those of these settings, as far as the settings go.
    ///
    /// - Throws: `ResultFolderError` that names the settings that differ.
    public func requireSame(_ settings: JSONObject) throws(ResultFolderError) {
        let json: JSON
        do {
            json = try JSON.read("\(path)/profile.json")
        } catch {
            throw ResultFolderError(description: "\(error)")
        }
        let found = json["run"]?["settings"]?.object ?? JSONObject()
        let different = settings.keys.filter { found[$0] != settings[$0] }
        guard different.isEmpty else {
            throw ResultFolderError(
                description:
                    "\(path) holds the results of another analysis (another \(different.joined(separator: ", "))); "
                    + "give another --out, or --force to replace them")
        }
    }

    /// Writes the profile's files, or none of them.
    func write(_ profile: Profile) throws(ResultFolderError) {
        try folder.write([
            ("profile.json", profile.json().serialized(indented: true)), ("layers.csv", profile.csv()),
            ("report.html", profile.page()),
        ])
    }
}
