extension JSON {
    /// Reads a JSON file.
    ///
    /// - Throws: what `MappedFile` throws, `malformedJSON`, `gitLFSPointer`.
    public static func read(_ path: String) throws(CheckpointError) -> JSON {
        try read(MappedFile(path))
    }

    /// Reads a JSON file that is open.
    ///
    /// - Throws: `malformedJSON`, `gitLFSPointer`.
    public static func read(_ file: MappedFile) throws(CheckpointError) -> JSON {
        try FileKind.refusePointer(file)
        do throws(JSONError) {
            // The file is unmapped when nothing refers to it any more; the bytes alone do not.
            return try withExtendedLifetime(file) { () throws(JSONError) in
                try unsafe parse(file.bytes, source: file.path)
            }
        } catch {
            throw .malformedJSON(error)
        }
    }
}
