import Checkpoints
import Glibc
import Reports

/// Where this program was built from.
enum BuildInformation {
    /// What results say of the program that measured them.
    static var program: Computation.Program {
        Computation.Program(version: Version.current, gitRevision: gitRevision)
    }

    /// The git revision: from the file `revision` of the bundle, or from the checkout that holds the build folder; nil
    /// where there is neither.
    static var gitRevision: String? {
        let program = programPath()
        if let revision = bundleFolder(program).flatMap({ line("\($0)/revision") }) { return revision }
        guard let folder = checkoutFolder(program), let head = line("\(folder)/.git/HEAD") else { return nil }
        guard head.hasPrefix("ref: ") else { return head }
        let reference = String(head.dropFirst(5))
        return line("\(folder)/.git/\(reference)") ?? packed(reference, folder)
    }

    private static func programPath() -> [Substring] {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return [] }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: "/")
    }

    /// The folder whose `bin` the executable runs from.
    private static func bundleFolder(_ program: [Substring]) -> String? {
        program.dropLast().last == "bin" ? "/" + program.dropLast(2).joined(separator: "/") : nil
    }

    /// The folder above `.build` that the executable runs from.
    private static func checkoutFolder(_ program: [Substring]) -> String? {
        guard let build = program.lastIndex(where: { $0.hasPrefix(".build") }) else { return nil }
        return "/" + program[..<build].joined(separator: "/")
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
