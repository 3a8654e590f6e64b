import Linearity

extension Profile {
    /// The rows of all views as layers.csv holds them; a figure that does not exist is an empty field.
    public func csv() -> String {
        var lines = [(["view", "layer", "site", "n"] + ProfileColumn.all.map(\.name)).joined(separator: ",")]
        for view in result.views {
            for (layer, figures) in view.layers { lines.append(line(view, layer, "layer", figures)) }
            if let figures = view.finalNorm { lines.append(line(view, model.layerCount - 1, "final_norm", figures)) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(_ view: Analysis.ViewResult, _ layer: Int, _ site: String, _ figures: LayerFigures) -> String {
        let values = ProfileColumn.all.map { column in
            column.figure(figures).value.map { column.name == "rank" ? String(Int($0)) : String($0) } ?? ""
        }
        return ([view.view.name, String(layer), site, String(figures.n)] + values).joined(separator: ",")
    }
}
