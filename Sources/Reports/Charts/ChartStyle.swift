/// Colours and lines of all charts: in the page's style sheet, and in every figure that stands alone.
enum ChartStyle {
    /// Colours that are told apart in both schemes and by most colour-blind readers.
    static let css = """
        :root { --ground: #ffffff; --ink: #1b1f24; --faint: #59636e; --rule: #d8dee4; --shade: #e9edf1;
          --s0: #0b5cad; --s1: #b3500f; --s2: #1a7f5a; --s3: #8a3ea8; --s4: #b0275c; --s5: #7d6608; --s6: #0f7c86;
          --s7: #5d6570; --heat: 190, 40, 30; }
        @media (prefers-color-scheme: dark) { :root { --ground: #14181d; --ink: #e6eaee; --faint: #9aa5b1;
          --rule: #323a43; --shade: #232a31; --s0: #6cb2ff; --s1: #ff9e57; --s2: #55c99a; --s3: #d29bf0;
          --s4: #ff85ad; --s5: #dcc34c; --s6: #5ccfda; --s7: #b4bdc7; --heat: 255, 100, 80; } }
        svg.chart { font: 12px system-ui, sans-serif; background: var(--ground); }
        svg.chart text { fill: var(--ink); } svg.chart text.faint { fill: var(--faint); }
        svg.chart .grid { stroke: var(--rule); stroke-width: 1; fill: none; }
        svg.chart .break { stroke: var(--faint); stroke-width: 1.5; fill: none; }
        svg.chart .shade { fill: var(--shade); stroke: none; }
        svg.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        svg.chart .dashed { stroke-dasharray: 5 4; } svg.chart .dotted { stroke-dasharray: 1 4; stroke-linecap: round; }
        svg.chart .dash-dotted { stroke-dasharray: 8 4 1 4; } svg.chart .long-dashed { stroke-dasharray: 12 3; }
        svg.chart .s0 { stroke: var(--s0); } svg.chart .s1 { stroke: var(--s1); }
        svg.chart .s2 { stroke: var(--s2); } svg.chart .s3 { stroke: var(--s3); }
        svg.chart .s4 { stroke: var(--s4); } svg.chart .s5 { stroke: var(--s5); }
        svg.chart .s6 { stroke: var(--s6); } svg.chart .s7 { stroke: var(--s7); }
        svg.chart .dot { stroke-width: 1; } svg.chart .dot.s0, svg.chart .area.s0 { fill: var(--s0); }
        svg.chart .dot.s1, svg.chart .area.s1 { fill: var(--s1); } svg.chart .dot.s2 { fill: var(--s2); }
        svg.chart .dot.s3 { fill: var(--s3); } svg.chart .dot.s4 { fill: var(--s4); }
        svg.chart .dot.s5 { fill: var(--s5); } svg.chart .dot.s6 { fill: var(--s6); }
        svg.chart .dot.s7 { fill: var(--s7); } svg.chart .dot.hollow { fill: var(--ground); stroke-width: 1.5; }
        svg.chart .area { stroke: none; fill-opacity: 0.22; } svg.chart .cell { fill: rgb(var(--heat)); stroke: none; }
        svg.chart .score { fill: var(--s0); stroke: none; } svg.chart .absent { fill: none; stroke: var(--rule); }
        svg.chart .marked { font-weight: 700; }
        """
}
