/// The frame of all pages: one HTML file that loads nothing, and runs no script but its own.
enum PageFrame {
    /// - Parameter content: Sections, as HTML.
    static func document(title: String, heading: String, lead: String, content: [String]) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
        script-src 'sha256-\(PageStyle.scriptDigest)'">
        <title>\(Markup.escaped(title))</title>
        <style>\(ChartStyle.css)\(PageStyle.css)</style>
        </head>
        <body>
        <main>
        <h1>\(Markup.escaped(heading))</h1>
        <p class="lead">\(Markup.escaped(lead))</p>
        \(content.joined(separator: "\n"))
        </main>
        <div id="hint" role="status" hidden></div>
        <script>\(PageStyle.script)</script>
        </body>
        </html>

        """
    }

    /// - Parameter content: As HTML.
    static func section(_ id: String, _ title: String, _ content: String) -> String {
        "<section aria-labelledby=\"\(id)\">\n<h2 id=\"\(id)\">\(Markup.escaped(title))</h2>\n\(content)\n</section>"
    }

    static func figure(_ figure: NamedFigure) -> String {
        "<figure>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"\(Markup.escaped(figure.caption))\">"
            + "\(figure.svg(false))</div>\n<figcaption>\(Markup.escaped(figure.caption))</figcaption>\n</figure>"
    }

    /// Figures side by side, where there is room.
    static func pair(_ figures: [NamedFigure]) -> String {
        "<div class=\"pair\">\(figures.map(figure).joined(separator: "\n"))</div>"
    }

    /// A table whose columns sort.
    ///
    /// - Parameters:
    ///   - rows: As HTML.
    ///   - hasNames: Whether the first column holds names.
    static func table(_ caption: String, heads: [String], rows: [String], hasNames: Bool = false) -> String {
        let cells = heads.map { "<th scope=\"col\"><button type=\"button\">\(Markup.escaped($0))</button></th>" }
        return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(Markup.escaped(caption))\">"
            + "<table class=\"sortable\(hasNames ? " names" : "")\"><caption>\(Markup.escaped(caption))</caption>"
            + "<thead><tr>\(cells.joined())</tr></thead>\n<tbody>" + rows.joined(separator: "\n")
            + "</tbody></table></div>"
    }
}
