import ArgumentParser
import Linearity

/// Steps of a layer, comma-separated.
struct StepSites: ExpressibleByArgument {
    let sites: [StepSite]

    private static let known: [StepSite] = [.layer, .attention, .feedForward]

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let asked = names.compactMap { name in StepSites.known.first { $0.rawValue == name } }
        guard asked.count == names.count, Set(asked).count == asked.count else { return nil }
        sites = StepSites.known.filter { asked.contains($0) }
    }

    var defaultValueDescription: String { sites.map(\.rawValue).joined(separator: ",") }

    init(sites: [StepSite]) { self.sites = sites }
}
