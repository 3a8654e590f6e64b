import Glibc

/// A version of the GNU C library.
struct GlibcVersion {
    let major: Int
    let minor: Int

    /// What the program of a bundle, and the libraries in it, need.
    static let neededByBundle = GlibcVersion(major: 2, minor: 35)

    /// That of the library that this process runs with; nil where it does not say.
    static var running: GlibcVersion? {
        var name = [CChar](repeating: 0, count: 64)
        unsafe confstr(Int32(_CS_GNU_LIBC_VERSION), &name, name.count)
        let words = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return words.first == "glibc" ? words.last.flatMap { GlibcVersion(String($0)) } : nil
    }

    /// What a person has to know about a version that was found.
    static func description(of found: GlibcVersion?) -> String {
        guard let found else { return "of unknown version; \(neededByBundle.text) or later is needed by the bundle" }
        guard found.isOlder(than: neededByBundle) else { return found.text }
        return "\(found.text): too old for the bundle, which needs \(neededByBundle.text) or later"
    }

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads "2.36", and of "2.36.9000" the first two numbers.
    init?(_ text: String) {
        let parts = text.split(separator: ".")
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1]) else { return nil }
        self.init(major: major, minor: minor)
    }

    func isOlder(than other: GlibcVersion) -> Bool {
        (major, minor) < (other.major, other.minor)
    }

    private var text: String { "\(major).\(minor)" }
}
