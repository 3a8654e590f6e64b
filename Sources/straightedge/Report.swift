import ArgumentParser
import Checkpoints
import Reports

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the page of a profile anew: report.html, which loads nothing from anywhere.",
        discussion: """
            PROFILE is a profile.json, or the folder that it is in. The page is written beside it, or to --out.

            EXAMPLES
              straightedge report llama-profile
              straightedge report llama-profile/profile.json --out llama.html --figures llama-figures
            """)

    @Argument(help: "A profile.json or its folder.", completion: .file())
    var profile: String

    @Option(help: ArgumentHelp("File to write (default: report.html beside the profile).", valueName: "file.html"))
    var out: String?

    @Option(
        help: ArgumentHelp("Write each figure as an .svg to this folder too.", valueName: "folder"),
        completion: .directory)
    var figures: String?

    @Flag(help: "Replace files that exist.")
    var force = false

    func run() throws {
        try Failure.reporting {
            let path = Profile.path(of: profile)
            let read = try Profile(reading: profile)
            let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            let out = self.out ?? "\(folder)report.html"
            // A page is made of the profile and can be made again; one of another name may be somebody's work.
            let page = try WholeFile(path: out, replaces: force || self.out == nil)
            let figureFolder = try figures.map { try ResultFolder($0, replaces: force) }
            try page.write(Array(read.page().utf8))
            try page.finish()
            print("Page: \(out)")
            if let figureFolder {
                try figureFolder.write(read.figureFiles())
                print("Figures: \(figureFolder.path)")
            }
        }
    }
}
