import Checkpoints
import Glibc

extension Profile {
    /// Where the profile of a folder of results, or of the file itself, is.
    public static func path(of folderOrFile: String) -> String {
        var status = stat()
        let isFolder = unsafe stat(folderOrFile, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        return isFolder
            ? "\(folderOrFile.hasSuffix("/") ? String(folderOrFile.dropLast()) : folderOrFile)/profile.json"
            : folderOrFile
    }

    /// Reads the profile of a folder of results, or a profile.json itself.
    ///
    /// - Throws: `ProfileError` that names the file.
    public init(reading folderOrFile: String) throws(ProfileError) {
        let path = Profile.path(of: folderOrFile)
        guard ResultFolder.exists(path) else {
            throw ProfileError(
                description: path == folderOrFile
                    ? "\(path) does not exist; name a folder of results, or its profile.json"
                    : "\(folderOrFile) holds no profile.json; name a folder that 'straightedge analyze' wrote")
        }
        let json: JSON
        do {
            json = try JSON.read(path)
        } catch {
            throw ProfileError(description: "\(error)")
        }
        try self.init(json, path: path)
    }
}
