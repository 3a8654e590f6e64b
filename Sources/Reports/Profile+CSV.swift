import Linearity

extension Profile {
    /// The rows of all views as layers.csv holds them; a figure that does not exist is an empty field.
    public func csv() -> String {
        var lines = [(["view", "layer", "site", "n"] + ProfileColumn.all.map(\.name)).joined(separator: ",")]
        for view in result.views {
            for step in view.steps { lines.append(line(view, step)) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(_ view: Analysis.ViewResult, _ step: StepResult) -> String {
        let values = ProfileColumn.all.map { column in
            column.figure(step.figures).value.map { column.name == "rank" ? String(Int($0)) : String($0) } ?? ""
        }
        return ([view.view.name, String(step.layer), step.site.rawValue, String(step.figures.n)] + values).joined(
            separator: ",")
    }
}
