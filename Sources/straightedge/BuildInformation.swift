import Checkpoints
import Glibc

/// Where this program was built from.
enum BuildInformation {
    /// The git revision: from STRAIGHTEDGE_REVISION, which a bundle's launcher sets, or from the checkout that holds the
    /// build folder; nil where there is neither.
    static var gitRevision: String? {
        if let revision = unsafe getenv("STRAIGHTEDGE_REVISION") { return unsafe String(cString: revision) }
        guard let folder = checkoutFolder(), let head = line("\(folder)/.git/HEAD") else { return nil }
        guard head.hasPrefix("ref: ") else { return head }
        let reference = String(head.dropFirst(5))
        return line("\(folder)/.git/\(reference)") ?? packed(reference, folder)
    }

    /// The folder above `.build` that the executable runs from.
    private static func checkoutFolder() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let components = path.split(separator: "/")
        guard let build = components.lastIndex(where: { $0.hasPrefix(".build") }) else { return nil }
        return "/" + components[..<build].joined(separator: "/")
    }

    private static func packed(_ reference: String, _ folder: String) -> String? {
        text("\(folder)/.git/packed-refs")?.split(separator: "\n").first { $0.hasSuffix(" \(reference)") }
            .map { String($0.prefix { $0 != " " }) }
    }

    private static func line(_ path: String) -> String? {
        text(path).map { String($0.prefix { $0 != "\n" }) }
    }

    private static func text(_ path: String) -> String? {
        do throws(CheckpointError) {
            let file = try MappedFile(path)
            return unsafe String(decoding: file.bytes, as: UTF8.self)
        } catch {
            return nil
        }
    }
}
