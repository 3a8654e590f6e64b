import ArgumentParser
import Checkpoints
import Reports

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the profiles of several runs beside each other.",
        discussion: """
            PROFILE is a folder of results that analyze wrote, or its profile.json. Shows the means of the scores; with \
            --out also writes a page of charts over normalized depth (the paper's figure 1) and all rows as a CSV. Runs \
            that were not measured as the first one was are compared all the same, and marked with what differs.

            EXAMPLES
              straightedge compare llama-profile mistral-profile
              straightedge compare profiles/*/ --out comparison
              straightedge compare profiles/*/ --out comparison.html
              straightedge compare profiles/*/ --csv > all.csv
            """)

    @Argument(help: "Folders of results, or their profile.json.", completion: .file())
    var profile: [String]

    @Option(
        help: ArgumentHelp(
            "Folder for comparison.html and comparison.csv, or one file, .html or .csv.", valueName: "path"),
        completion: .file())
    var out: String?

    @Flag(help: "Print all rows as a CSV in the place of the table.")
    var csv = false

    @Flag(help: "Replace files that exist.")
    var force = false

    func run() throws {
        try Failure.reporting {
            let target = try out.map { try Target($0, replaces: force) }
            let comparison = try Comparison(profile.map { (path: $0, profile: try Profile(reading: $0)) })
            try target?.write(comparison)
            print(csv ? comparison.csv() : comparison.table() + "\n", terminator: "")
            if let target, !csv { print("\nResults: \(target.description)") }
        }
    }

    /// Where the results go.
    private enum Target: CustomStringConvertible {
        case folder(ResultFolder)
        case file(WholeFile, path: String)

        init(_ path: String, replaces: Bool) throws {
            let isFile = path.hasSuffix(".html") || path.hasSuffix(".csv")
            self =
                isFile
                ? .file(try WholeFile(path: path, replaces: replaces), path: path)
                : .folder(try ResultFolder(path, replaces: replaces))
        }

        var description: String {
            switch self {
            case .folder(let folder): "comparison.html and comparison.csv in \(folder.path)"
            case .file(_, let path): path
            }
        }

        func write(_ comparison: Comparison) throws {
            switch self {
            case .folder(let folder):
                try folder.write([("comparison.html", comparison.page()), ("comparison.csv", comparison.csv())])
            case .file(let file, let path):
                try file.write(Array((path.hasSuffix(".csv") ? comparison.csv() : comparison.page()).utf8))
                try file.finish()
            }
        }
    }
}
