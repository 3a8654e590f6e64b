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
        let place = [view.view.name, String(step.layer), step.site.rawValue, String(step.figures.n)]
        return (place + ProfileColumn.all.map { $0.text(step.figures) }).joined(separator: ",")
    }
}
