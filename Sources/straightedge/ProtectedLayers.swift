import ArgumentParser

/// Layers at both ends that stay: first:2,last:1.
struct ProtectedLayers: ExpressibleByArgument {
    var first = 0
    var last = 0

    init?(argument: String) {
        var seen: Set<Substring> = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: ":", omittingEmptySubsequences: false)
            guard pair.count == 2, seen.insert(pair[0]).inserted, let count = Int(pair[1]),
                (0...1 << 24).contains(count)
            else {
                return nil
            }
            switch pair[0] {
            case "first": first = count
            case "last": last = count
            default: return nil
            }
        }
    }
}
